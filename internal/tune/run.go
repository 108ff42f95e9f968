package tune

import (
	"io"

	"alps/internal/stream"
)

// Run writes a policy for each window of a stream, before it reads the next. The
// state of a Tuner that keeps it ([Tuner.Keep]) is replaced after each policy.
func Run(in *stream.Reader[stream.Turn], out *stream.Writer[stream.Policy], t *Tuner) error {
	for {
		id, o, err := t.observe(in)
		if err == io.EOF {
			return out.Close()
		}
		if err != nil {
			return err
		}
		rows := t.policy(id, o)
		if err := t.prepareState(); err != nil {
			return err
		}
		if err := out.Write(id, rows); err != nil {
			return err
		}
		if err := t.commitState(); err != nil {
			return err
		}
	}
}

// observe takes in the next window of a stream, without holding its rows.
func (t *Tuner) observe(in *stream.Reader[stream.Turn]) (id stream.Integer, o *observer, err error) {
	o = t.observer()
	err = in.Each(func(batch *stream.Batch[stream.Turn]) error {
		id = batch.ID
		if err := t.keeping.check(id, batch.Errorf); err != nil {
			return err
		}
		return o.add(batch.Rows, batch.Lines, batch.Errorf)
	})
	return id, o, err
}

// FollowStream reads a policy stream to its end and makes its last window the
// last policy; see [Tuner.Follow]. A stream without windows changes nothing.
func (t *Tuner) FollowStream(in *stream.Reader[stream.Policy]) error {
	for {
		window, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		t.Follow(window.Rows)
	}
}
