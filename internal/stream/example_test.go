package stream_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"alps/internal/stream"
)

// A filter reads windows, and writes each on as soon as it is there.
func Example() {
	const input = `window,rows,class,key,from_ns,rank,slice_ns
1764000000000,2,resize,comm:fn-resize,0,1,6000000
1764000000000,2,train,comm:fn-train,0,2,0
1764000060000,1,train,comm:fn-train,0,1,0
`
	reader := stream.NewReader[stream.Policy](strings.NewReader(input), "stdin", stream.WarnTo(os.Stderr))
	writer := stream.NewWriter[stream.Turn](os.Stdout)
	for {
		window, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		var turns []stream.Turn
		for i, row := range window.Rows {
			if row.Rank > 2 {
				log.Fatal(window.Errorf(i, "rank", "\"%d\" is more than this example likes", row.Rank))
			}
			turns = append(turns, stream.Turn{Class: row.Class, Invocation: "1", Turn: 1, SliceNs: row.SliceNs, CPUs: 1})
		}
		if err := writer.Write(window.ID, turns); err != nil {
			log.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// window,rows,class,key,invocation,turn,slice_ns,wait_ns,cpus,util_pct,start_ns,kind
	// 1764000000000,2,resize,,1,1,6000000,0,1,0,,
	// 1764000000000,2,train,,1,1,0,0,1,0,,
	// 1764000060000,1,train,,1,1,0,0,1,0,,
}

func ExampleReader_Next_error() {
	const input = "window,rows,class,from_ns,rank,slice_ns\n1,1,resize,0,first,6000000\n"
	_, err := stream.NewReader[stream.Policy](strings.NewReader(input), "stdin").Next()
	fmt.Println(err)
	// Output: stdin:2: rank: "first" is not a whole number
}
