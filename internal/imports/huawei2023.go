package imports

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"alps/internal/workload"
)

// Files of the Huawei private trace of 2023 are called by their day and lie in
// a folder that says what they have: requests_minute/day_000.csv. Their columns
// are day, time (in seconds from the start of the trace) and a column a
// function, called by its number. Cells may be empty.
var huawei2023Kind = regexp.MustCompile(`^(requests|function_delay)_(minute|second)\b`)

// huaweiDays are the files, as many of both kinds, or no delays.
type huaweiDays struct {
	requests, delays []string
	length           time.Duration // of an interval
}

func (i *importer) openHuawei2023() (source, error) {
	var days huaweiDays
	lengths := make(map[string]bool)
	for _, file := range i.Files {
		kind := huawei2023Kind.FindStringSubmatch(filepath.Base(file))
		if kind == nil {
			kind = huawei2023Kind.FindStringSubmatch(filepath.Base(filepath.Dir(file)))
		}
		if kind == nil {
			return nil, fmt.Errorf("%s: neither its name nor its folder's begins with requests_minute, requests_second, function_delay_minute or function_delay_second", file)
		}
		if kind[1] == "requests" {
			days.requests = append(days.requests, file)
		} else {
			days.delays = append(days.delays, file)
		}
		lengths[kind[2]] = true
	}
	n, m := len(days.requests), len(days.delays)
	if n != m && (m > 0 || i.demands == nil) {
		return nil, fmt.Errorf("files of requests: %d, of function delays: %d; it takes one of each for a day, or --demands", n, m)
	}
	if len(lengths) > 1 {
		return nil, errors.New("some files are by the minute, some by the second")
	}
	days.length = time.Second
	if lengths["minute"] {
		days.length = time.Minute
	}
	return func(yield func(workload.Request) error) error {
		s := i.newSpreader(yield)
		nextNs := int64(0)
		for k := range days.requests {
			d := huaweiDay{importer: i, length: days.length.Nanoseconds(), nextNs: nextNs}
			var err error
			if d.requests, err = openHuaweiFile(i, days.requests[k]); err != nil {
				return err
			}
			if m > 0 {
				d.delays, err = openHuaweiFile(i, days.delays[k])
			}
			if err == nil {
				err = d.run(s)
			}
			d.close()
			if err != nil {
				return err
			}
			nextNs = d.nextNs
		}
		return nil
	}, nil
}

// huaweiFile is a file of one metric. encoding/csv reads it, for its columns
// are called by the functions that it has.
type huaweiFile struct {
	*csvFile
	functions []string
	column    map[string]int
}

func openHuaweiFile(i *importer, file string) (*huaweiFile, error) {
	f, err := i.openCSV(file)
	if err != nil {
		return nil, err
	}
	h := &huaweiFile{csvFile: f, column: make(map[string]int)}
	header, err := f.header()
	for k, column := range header {
		h.column[column] = k
		if k >= 2 {
			h.functions = append(h.functions, column)
		}
		if err == nil && k >= 2 && !isNumber(column) {
			err = f.errorf(1, column, "this is no number of a function")
		}
	}
	if err == nil && (len(header) < 2 || header[0] != "day" || header[1] != "time") {
		err = f.errorf(1, "", "the first columns are not day and time")
	}
	if err != nil {
		f.closer.Close()
		return nil, err
	}
	return h, nil
}

// huaweiDay reads the files of a day side by side.
type huaweiDay struct {
	*importer
	requests, delays *huaweiFile // delays is nil where the demands have all
	length           int64
	nextNs           int64 // the least time that the next row may have
}

func (d *huaweiDay) close() {
	d.requests.closer.Close()
	if d.delays != nil {
		d.delays.closer.Close()
	}
}

func (d *huaweiDay) run(s *spreader) error {
	if d.delays != nil {
		for _, function := range d.requests.functions {
			if _, ok := d.delays.column[function]; !ok {
				return d.delays.errorf(1, function, "the column is missing, which %s has", d.requests.name)
			}
		}
	}
	for {
		requests, err := d.requests.read()
		if err == io.EOF {
			return d.atEnd()
		}
		if err != nil {
			return plain(err)
		}
		timeNs, err := d.time(d.requests, requests)
		if err != nil {
			return err
		}
		if timeNs < d.nextNs {
			return d.requests.errorf(d.requests.line(), "time", "%s is before the end of the interval above it", requests[1])
		}
		d.nextNs = timeNs + d.length
		var delays []string
		if d.delays != nil {
			if delays, err = d.readDelays(requests[1], timeNs); err != nil {
				return err
			}
		}
		for k, function := range d.requests.functions {
			if err := d.refusals.check(d.cell(s, function, requests[k+2], delays, timeNs)); err != nil {
				return err
			}
		}
		if err := s.end(); err != nil {
			return err
		}
	}
}

// plain is the error of a row without which the rows of two files would not be
// those of the same time: it is never left out.
func plain(err error) error {
	if bad, ok := err.(*badRow); ok {
		return bad.at
	}
	return err
}

func (d *huaweiDay) time(f *huaweiFile, row []string) (int64, error) {
	seconds, err := number(row[1], maxSeconds)
	if err == nil && seconds != float64(int64(seconds)) {
		err = fmt.Errorf("%s is not a whole number", strconv.Quote(row[1]))
	}
	if err != nil {
		return 0, f.errorf(f.line(), "time", "%v", err)
	}
	return int64(seconds) * time.Second.Nanoseconds(), nil
}

// readDelays reads the row of the same time.
func (d *huaweiDay) readDelays(text string, timeNs int64) ([]string, error) {
	delays, err := d.delays.read()
	if err == io.EOF {
		return nil, d.requests.errorf(d.requests.line(), "time", "%s has no row for %s any more", d.delays.name, text)
	}
	if err != nil {
		return nil, plain(err)
	}
	delaysNs, err := d.time(d.delays, delays)
	if err == nil && delaysNs != timeNs {
		err = d.delays.errorf(d.delays.line(), "time", "%s is not %s, the time of line %d of %s", delays[1], text, d.requests.line(), d.requests.name)
	}
	return delays, err
}

// atEnd tells whether both files are at their end.
func (d *huaweiDay) atEnd() error {
	if d.delays == nil {
		return nil
	}
	switch _, err := d.delays.read(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return plain(err)
	}
	return d.delays.errorf(d.delays.line(), "time", "%s has no row for it any more", d.requests.name)
}

// cell takes the requests of a function in an interval.
func (d *huaweiDay) cell(s *spreader, function, text string, delays []string, timeNs int64) error {
	if text == "" {
		return nil // no request
	}
	n, err := count(text)
	if err != nil {
		return d.requests.badRow(function, "%v", err)
	}
	if n == 0 {
		return nil
	}
	if _, ok := s.demander.meanOf(function); !ok {
		return d.requests.badRow(function, "%s", noDemand(function))
	}
	var delayNs int64
	if delays != nil {
		delay := delays[d.delays.column[function]]
		if delay == "" {
			return d.delays.badRow(function, "the cell is empty, though there were %s requests", text)
		}
		if delayNs, err = nanos(delay, float64(d.DelayUnit)); err != nil {
			return d.delays.badRow(function, "%v", err)
		}
	}
	if err := s.add(function, n, timeNs, d.length, func() int64 { return delayNs }); err != nil {
		return d.requests.errorf(d.requests.line(), function, "%v", err)
	}
	return nil
}
