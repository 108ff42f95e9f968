package imports

import (
	"cmp"
	"strconv"
	"strings"
)

// azure2021Row is an invocation: `app,func,end_timestamp,duration`. The times
// are in seconds; func is unique within its app only.
type azure2021Row struct {
	App      string `csv:"app"`
	Func     string `csv:"func"`
	End      string `csv:"end_timestamp"`
	Duration string `csv:"duration"`
}

func (i *importer) openAzure2021() (source, error) {
	return openByEnd(i, func(file *csvFile, row azure2021Row) (inv ended, err error) {
		if err := cmp.Or(file.checkName("app", row.App), file.checkName("func", row.Func)); err != nil {
			return inv, err
		}
		inv.column, inv.class = "func", row.App+"/"+row.Func
		if inv.endNs, err = nanos(row.End, second); err != nil {
			return inv, file.badRow("end_timestamp", "%v", err)
		}
		if inv.durationNs, err = nanos(row.Duration, second); err != nil {
			return inv, file.badRow("duration", "%v", err)
		}
		inv.cpuNs = inv.durationNs
		return inv, nil
	})
}

// huawei2025Row is a request, of the columns of which these are used. The
// publisher's id of a function is funcName---userID---poolName, where a pod's
// name is that of its pool and a number: pool22-300-128-0000618412.
type huawei2025Row struct {
	Time    string `csv:"time_worker"`
	Func    string `csv:"funcName"`
	Pod     string `csv:"podID"`
	User    string `csv:"userID"`
	Runtime string `csv:"runtimeCost"`
	CPU     string `csv:"cpu_usage"`
}

// maxCores bounds a pod's CPU usage.
const maxCores = 1 << 12

func (i *importer) openHuawei2025() (source, error) {
	return openByEnd(i, func(file *csvFile, row huawei2025Row) (inv ended, err error) {
		err = cmp.Or(file.checkName("funcName", row.Func), file.checkName("userID", row.User), file.checkName("podID", row.Pod))
		if err != nil {
			return inv, err
		}
		dash := strings.LastIndexByte(row.Pod, '-')
		if dash < 1 || !isNumber(row.Pod[dash+1:]) {
			return inv, file.badRow("podID", "%.60q is not a pool and the number of a pod, such as pool22-300-128-0000618412", row.Pod)
		}
		inv.column, inv.class = "funcName", row.Func+"---"+row.User+"---"+row.Pod[:dash]
		if inv.endNs, err = nanos(row.Time, second); err != nil {
			return inv, file.badRow("time_worker", "%v", err)
		}
		if inv.durationNs, err = nanos(row.Runtime, second); err != nil {
			return inv, file.badRow("runtimeCost", "%v", err)
		}
		cores, err := number(row.CPU, maxCores)
		if err != nil {
			return inv, file.badRow("cpu_usage", "%v", err)
		}
		// The usage is that of the whole pod: what is over one core is other
		// requests or threads, and an invocation is taken for one thread.
		inv.cpuNs = int64(min(cores, 1) * float64(inv.durationNs))
		return inv, nil
	})
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 64)
	return err == nil
}

// second is how many ns it has.
const second = 1e9

// ended is a row of a trace that tells when requests ended.
type ended struct {
	class                    string
	column                   string // which the class is of
	endNs, durationNs, cpuNs int64
}

// openByEnd reads a trace with a row a request, in any order.
func openByEnd[T any](i *importer, parse func(*csvFile, T) (ended, error)) (source, error) {
	all := records{limit: maxRecords}
	sampler, demander := i.newSampler(), i.newDemander()
	for _, file := range i.Files {
		t, err := openTable[T](i, file)
		if err != nil {
			return nil, err
		}
		err = t.each(&i.refusals, func(row T) error {
			inv, err := parse(t.csvFile, row)
			if err != nil {
				return err
			}
			mean, ok := demander.meanOf(inv.class)
			if !ok {
				return t.badRow(inv.column, "%s", noDemand(inv.class))
			}
			if sampler.take(1) == 0 {
				return nil
			}
			cpuNs, sleepNs := demander.of(mean, inv.cpuNs, inv.durationNs)
			if err := all.add(inv.class, inv.endNs-inv.durationNs, cpuNs, sleepNs); err != nil {
				return t.errorf(t.line(), "", "%v", err)
			}
			return nil
		})
		t.closer.Close()
		if err != nil {
			return nil, err
		}
	}
	return all.source(), nil
}
