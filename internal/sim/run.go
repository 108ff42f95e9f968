package sim

import (
	"fmt"
	"io"

	"alps/internal/stream"
)

// Run simulates the windows of a stream one by one and writes the turns of each
// before it reads the next. A window without turns is left out, as the stream
// has no empty windows, with a line about it to messages.
func Run(in *stream.Reader[stream.Invocation], out *stream.Writer[stream.Turn], messages io.Writer, o Options) error {
	for {
		window, err := in.Next()
		if err == io.EOF {
			return out.Close()
		}
		if err != nil {
			return err
		}
		turns, err := Turns(window, o)
		if err != nil {
			return err
		}
		if len(turns) == 0 {
			fmt.Fprintf(messages, "window %d left out: no invocation in it has used CPU time\n", window.ID)
		}
		if err := out.Write(window.ID, turns); err != nil {
			return err
		}
	}
}
