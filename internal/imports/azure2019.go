package imports

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"alps/internal/stream"
	"alps/internal/workload"
)

const (
	day          = 24 * time.Hour
	minutesOfDay = 1440
	// maxCells bounds the minutes with invocations that are held of a day: 512 MB.
	maxCells = 1 << 26
)

// What the columns of invocations_per_function_md.anon.dNN.csv are called,
// before 1 to 1440, the minutes. Of these the first some will do.
var azure2019Columns = []string{"HashOwner", "HashApp", "HashFunction", "Trigger"}

// azure2019Duration is a row of function_durations_percentiles.anon.dNN.csv,
// all in ms. The percentiles are not those of the execution times, but of their
// averages over 30 s each, weighted by how many there were. Average, Count,
// Minimum and Maximum are not used.
type azure2019Duration struct {
	Owner    string `csv:"HashOwner"`
	App      string `csv:"HashApp"`
	Function string `csv:"HashFunction"`
	P0       string `csv:"percentile_Average_0"`
	P1       string `csv:"percentile_Average_1"`
	P25      string `csv:"percentile_Average_25"`
	P50      string `csv:"percentile_Average_50"`
	P75      string `csv:"percentile_Average_75"`
	P99      string `csv:"percentile_Average_99"`
	P100     string `csv:"percentile_Average_100"`
}

// percents are those of the percentiles.
var percents = [...]float64{0, 1, 25, 50, 75, 99, 100}

// percentiles are durations in ns.
type percentiles [len(percents)]int64

// at returns the duration that a share of all, from 0 to 1, does not exceed:
// percentiles joined by straight lines.
func (p *percentiles) at(share float64) int64 {
	for k := 1; k < len(p); k++ {
		low, high := percents[k-1]/100, percents[k]/100
		if share <= high {
			return p[k-1] + int64(math.Round((share-low)/(high-low)*float64(p[k]-p[k-1])))
		}
	}
	return p[len(p)-1]
}

// azureFunction names a function of 2019. Each part is hashed with a salt of its own.
type azureFunction struct{ owner, app, function string }

// class leaves out the owner: the same app of two owners is two apps.
func (f azureFunction) class() string { return f.app + "/" + f.function }

// azureDays are the files, as many of both kinds, or no durations.
type azureDays struct{ invocations, durations []string }

// openAzure2019 tells the two kinds of files apart by their headers. The k-th of
// each kind are those of the k-th day.
func (i *importer) openAzure2019() (source, error) {
	var days azureDays
	for _, file := range i.Files {
		f, err := i.openCSV(file)
		if err != nil {
			return nil, err
		}
		header, err := f.header()
		f.closer.Close()
		switch {
		case err != nil:
			return nil, err
		case slices.Contains(header, "Trigger"):
			days.invocations = append(days.invocations, file)
		case slices.Contains(header, "percentile_Average_0"):
			days.durations = append(days.durations, file)
		default:
			return nil, f.errorf(1, "", "neither a column Trigger nor percentile_Average_0: this is no file of invocations nor one of durations")
		}
	}
	n, m := len(days.invocations), len(days.durations)
	if n != m && (m > 0 || i.demands == nil) {
		return nil, fmt.Errorf("files of invocations: %d, of durations: %d; it takes one of each for a day, or --demands", n, m)
	}
	return func(yield func(workload.Request) error) error {
		s := i.newSpreader(yield)
		for k := range days.invocations {
			if err := i.azureDay(s, days, k); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (i *importer) azureDay(s *spreader, days azureDays, k int) error {
	var durations map[azureFunction]*percentiles
	if len(days.durations) > 0 {
		var err error
		if durations, err = i.azureDurations(days.durations[k]); err != nil {
			return err
		}
	}
	counts, err := i.azureCounts(days.invocations[k], durations)
	if err != nil {
		return err
	}
	for minute, cells := range counts.minutes {
		beginNs := int64(k)*day.Nanoseconds() + int64(minute)*time.Minute.Nanoseconds()
		for _, c := range cells {
			f := counts.functions[c.function]
			err := s.add(f.class, int64(c.count), beginNs, time.Minute.Nanoseconds(), func() int64 {
				if f.durations == nil {
					return 0
				}
				return f.durations.at(s.durations.Float64())
			})
			if err != nil {
				return &stream.Error{Name: days.invocations[k], Line: f.line, Column: strconv.Itoa(minute + 1), Msg: err.Error()}
			}
		}
		if err := s.end(); err != nil {
			return err
		}
	}
	return nil
}

// azureCounts are the invocations of a day. Most functions are idle in most
// minutes, which take no room.
type azureCounts struct {
	functions []azureRow
	minutes   [minutesOfDay][]azureCell
}

type azureRow struct {
	class     string
	line      int
	durations *percentiles // nil where the demands have all
}

type azureCell struct{ function, count uint32 }

func (i *importer) azureDurations(file string) (map[azureFunction]*percentiles, error) {
	t, err := openTable[azure2019Duration](i, file)
	if err != nil {
		return nil, err
	}
	defer t.closer.Close()
	durations := make(map[azureFunction]*percentiles)
	err = t.each(&i.refusals, func(row azure2019Duration) error {
		if err := t.checkFunction(row.Owner, row.App, row.Function); err != nil {
			return err
		}
		f := azureFunction{strings.Clone(row.Owner), strings.Clone(row.App), strings.Clone(row.Function)}
		if durations[f] != nil {
			return t.badRow("HashFunction", "the function is there twice")
		}
		if len(durations) == maxClasses {
			return t.errorf(t.line(), "", "more than %d functions", maxClasses)
		}
		var p percentiles
		for k, text := range [...]string{row.P0, row.P1, row.P25, row.P50, row.P75, row.P99, row.P100} {
			column := "percentile_Average_" + strconv.FormatFloat(percents[k], 'f', -1, 64)
			var err error
			if p[k], err = nanos(text, float64(time.Millisecond)); err != nil {
				return t.badRow(column, "%v", err)
			}
			if k > 0 && p[k] < p[k-1] {
				return t.badRow(column, "%s is less than the percentile before it", text)
			}
		}
		durations[f] = &p
		return nil
	})
	return durations, err
}

func (f *csvFile) checkFunction(owner, app, function string) error {
	for k, text := range [...]string{owner, app, function} {
		if err := f.checkName(azure2019Columns[k], text); err != nil {
			return err
		}
	}
	return nil
}

// azureCounts reads a file of invocations. encoding/csv does it: a struct of
// 1,440 fields, to which gocsv would bind the minutes, is no help.
func (i *importer) azureCounts(file string, durations map[azureFunction]*percentiles) (*azureCounts, error) {
	f, err := i.openCSV(file)
	if err != nil {
		return nil, err
	}
	defer f.closer.Close()
	header, err := f.header()
	if err != nil {
		return nil, err
	}
	for k, column := range azure2019Columns {
		if k >= len(header) || header[k] != column {
			return nil, f.errorf(1, column, "the column is missing, or not number %d", k+1)
		}
	}
	minutes := header[len(azure2019Columns):]
	for k, column := range minutes {
		if k >= minutesOfDay || column != strconv.Itoa(k+1) {
			return nil, f.errorf(1, column, "this is no minute of 1 to %d, or not in its place", minutesOfDay)
		}
	}
	counts := &azureCounts{}
	cells := 0
	for {
		record, err := f.read()
		if err == nil {
			err = counts.add(f, record, i, durations, &cells)
		}
		if err == io.EOF {
			return counts, nil
		}
		if err := i.refusals.check(err); err != nil {
			return nil, err
		}
	}
}

func (c *azureCounts) add(f *csvFile, record []string, i *importer, durations map[azureFunction]*percentiles, cells *int) error {
	name := azureFunction{record[0], record[1], record[2]}
	if err := f.checkFunction(name.owner, name.app, name.function); err != nil {
		return err
	}
	var row []azureCell
	var minutes []int
	for k, text := range record[len(azure2019Columns):] {
		if text == "0" {
			continue
		}
		n, err := count(text)
		if err == nil && n > math.MaxUint32 {
			err = fmt.Errorf("%s invocations are more than %d", text, uint32(math.MaxUint32))
		}
		if err != nil {
			return f.badRow(strconv.Itoa(k+1), "%v", err)
		}
		if n > 0 {
			row = append(row, azureCell{function: uint32(len(c.functions)), count: uint32(n)})
			minutes = append(minutes, k)
		}
	}
	if len(row) == 0 {
		return nil
	}
	of := azureRow{class: name.class(), line: f.line(), durations: durations[name]}
	if durations != nil && of.durations == nil {
		return f.badRow("HashFunction", "the function has no durations on this day")
	}
	if i.demands != nil {
		if _, ok := (&demander{demands: i.demands}).meanOf(of.class); !ok {
			return f.badRow("HashFunction", "%s", noDemand(of.class))
		}
	}
	if *cells += len(row); *cells > maxCells || len(c.functions) == maxClasses {
		return f.errorf(f.line(), "", "more than %d functions, or %d minutes with invocations; take functions out of the file", maxClasses, maxCells)
	}
	c.functions = append(c.functions, of)
	for k, cell := range row {
		c.minutes[minutes[k]] = append(c.minutes[minutes[k]], cell)
	}
	return nil
}
