package imports

import (
	"errors"
	"io"
	"strings"
	"testing"

	"alps/internal/stream"
)

// FuzzRun: whatever the files have, what is written is a stream of whole
// windows, also before an error.
func FuzzRun(f *testing.F) {
	const durations = "HashOwner,HashApp,HashFunction,percentile_Average_0,percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100\n"
	f.Add(uint8(0), "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,2,1\n", durations+"o,a,f,1,2,3,4,5,6,7\n", false, false)
	f.Add(uint8(1), "app,func,end_timestamp,duration\na,f,0.5,1\nb,f,1e2,0\n", "app,func,end_timestamp,duration\na,f,9,1", true, true)
	f.Add(uint8(2), "day,time,1,2\n0,0,2.0,\n0,60,,1\n", "day,time,2,1\n0,0,5,6\n0,60,7,8\n", true, false)
	f.Add(uint8(3), "time_worker,funcName,podID,userID,runtimeCost,cpu_usage\n5,f,p-1,u,2,0.5\n", "", false, true)
	f.Add(uint8(4), "1 9 f 20 80\n2 9 f 20 81\n", "function,argument,cpu_ms\nf,9,5\n", true, false)
	f.Add(uint8(5), "a f.py 9 5 1\na f.py 9 7 2\n", "function,argument,cpu_ms\nf,9,5\n", true, false)
	formats := []Format{Azure2019, Azure2021, Huawei2023, Huawei2025, ALPS, SFS}
	f.Fuzz(func(t *testing.T, format uint8, first, second string, scaled, skip bool) {
		files := map[string]string{"requests_minute": first, "function_delay_minute": second}
		o := options(formats[int(format)%len(formats)], files, "requests_minute", "function_delay_minute")
		if o.Format == ALPS || o.Format == SFS {
			o.Files, o.Demands = o.Files[:1], o.Files[1]
		}
		o.SkipBad = skip && o.Demands == ""
		if scaled || o.Format == SFS {
			o.UtilisationPct = 50
		}
		o.Windows.Length = 1e18 // so that there are no more windows than requests
		if o.Format == Azure2019 || o.Format == Huawei2023 {
			o.SampleOf = 1 << 16 // a cell may have millions of requests
		}
		var out strings.Builder
		if err := Run(t.Context(), o, &out); err != nil && out.Len() == 0 {
			return
		}
		reader := stream.NewReader[stream.Invocation](strings.NewReader(out.String()), "out")
		for {
			_, err := reader.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
		}
	})
}
