package rules

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gocarina/gocsv"

	"alps/internal/stream"
)

// Bounds of a file of rules. Each rule may be asked of each process.
const (
	MaxRules = 1000
	maxBytes = 1 << 20
)

// DefaultName is what --rules takes for the rules that are shipped.
const DefaultName = "default"

// DefaultFile is the shipped rules as CSV.
//
//go:embed default.csv
var DefaultFile string

// Default returns the shipped rules.
func Default() *Set {
	set, err := Parse(strings.NewReader(DefaultFile), DefaultName)
	if err != nil {
		panic(err) // which a test would show
	}
	return set
}

// row is a row of the file as gocsv reads it.
type row struct {
	Match   string `csv:"match"`
	Pattern string `csv:"pattern"`
	Class   string `csv:"class"`
}

var columns = []string{"match", "pattern", "class"}

// Parse reads rules. The name stands for the file in errors, which are
// [*stream.Error]s. Lines that begin with # are comments.
func Parse(in io.Reader, name string) (*Set, error) {
	file := newLines(in, name)
	var rows []row
	if err := gocsv.UnmarshalCSV(file, &rows); err != nil {
		return nil, err
	}
	set := &Set{Name: name}
	for i, row := range rows {
		rule, column, err := newRule(row)
		if err != nil {
			return nil, file.errorf(file.at[i], column, "%v", err)
		}
		rule.Line = file.at[i]
		set.Rules = append(set.Rules, rule)
	}
	return set, nil
}

func newRule(row row) (rule *Rule, column string, err error) {
	rule = &Rule{Kind: Kind(row.Match), Pattern: row.Pattern, Class: row.Class}
	if !slices.Contains(kinds, rule.Kind) {
		return nil, "match", fmt.Errorf("%q is not one of %s", row.Match, kindList())
	}
	if row.Pattern == "" {
		return nil, "pattern", errors.New("the cell is empty; what matches anything is .*")
	}
	if _, err := regexp.Compile(row.Pattern); err != nil {
		return nil, "pattern", err
	}
	// Several kinds are texts of several lines.
	rule.re, err = regexp.Compile("(?m)" + row.Pattern)
	if err != nil {
		return nil, "pattern", err
	}
	if row.Class == "" {
		return nil, "class", fmt.Errorf("the cell is empty; %s leaves a process out", Leave)
	}
	return rule, "class", checkClass(row.Class, rule.re)
}

func kindList() string {
	var names []string
	for _, kind := range kinds {
		names = append(names, string(kind))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// lines reads the file for gocsv, remembers at which line each row begins, and
// checks what gocsv would let pass: the header, and what is no text.
type lines struct {
	name   string
	csv    *csv.Reader
	source *io.LimitedReader
	at     []int // of each row after the header
}

func newLines(in io.Reader, name string) *lines {
	// One byte more than may be there tells that there is more.
	source := &io.LimitedReader{R: in, N: maxBytes + 1}
	reader := csv.NewReader(source)
	reader.Comment = '#'
	return &lines{name: name, csv: reader, source: source}
}

// Read implements [gocsv.CSVReader].
func (l *lines) Read() ([]string, error) { return l.csv.Read() }

// ReadAll implements [gocsv.CSVReader].
func (l *lines) ReadAll() ([][]string, error) {
	var records [][]string
	for {
		record, err := l.csv.Read()
		if l.source.N <= 0 {
			return nil, fmt.Errorf("%s: more than %d bytes of rules", l.name, maxBytes)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, l.readError(record, err)
		}
		line, _ := l.csv.FieldPos(0)
		if err := l.checkRecord(len(records), line, record); err != nil {
			return nil, err
		}
		if records = append(records, record); len(records) > 1 {
			l.at = append(l.at, line)
		}
	}
	if len(records) == 0 {
		return nil, l.errorf(1, "", "no rules; they begin with the header %s", strings.Join(columns, ","))
	}
	return records, nil
}

func (l *lines) checkRecord(n, line int, record []string) error {
	if n == 0 {
		return l.checkHeader(line, record)
	}
	if n > MaxRules {
		return l.errorf(line, "", "more than %d rules", MaxRules)
	}
	for i, cell := range record {
		if !utf8.ValidString(cell) {
			return l.errorf(line, columns[i], "%q is not UTF-8", cell)
		}
	}
	return nil
}

// checkHeader wants the columns and no others: a fourth is more likely a
// pattern with a comma in it than meant for somebody else.
func (l *lines) checkHeader(line int, header []string) error {
	if header[0] = strings.TrimPrefix(header[0], "\ufeff"); slices.Equal(header, columns) {
		return nil
	}
	return l.errorf(line, "", "the header is %q; want %s", strings.Join(header, ","), strings.Join(columns, ","))
}

func (l *lines) readError(record []string, err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	switch parse.Err {
	case csv.ErrFieldCount:
		return l.errorf(parse.StartLine, "", "the row has %d cells, the header %d; a pattern with a comma stands in quotes", len(record), len(columns))
	case csv.ErrBareQuote:
		return l.errorf(parse.StartLine, "", "a quote stands within a cell that is not quoted")
	}
	return l.errorf(parse.StartLine, "", "a quoted cell is not closed, or text follows its closing quote")
}

func (l *lines) errorf(line int, column, format string, args ...any) error {
	return &stream.Error{Name: l.name, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)}
}
