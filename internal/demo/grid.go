package demo

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// grid is a table in columns: the first to the left, all others to the right,
// with titles above groups of neighbouring columns.
type grid struct {
	groups []group
	rows   [][]string // the first is the header
}

// group is some columns under one title, which may be empty.
type group struct {
	title   string
	columns int
}

const (
	columnGap = "  "
	groupGap  = "   "
)

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

func (g grid) String() string {
	widths := g.widths()
	var text strings.Builder
	line := func(cells []string) {
		text.WriteString(strings.TrimRight(strings.Join(cells, groupGap), " "))
		text.WriteByte('\n')
	}
	var titles []string
	at := 0
	for _, group := range g.groups {
		titles = append(titles, ruled(group.title, span(widths[at:at+group.columns])))
		at += group.columns
	}
	line(titles)
	for _, row := range g.rows {
		var cells []string
		at := 0
		for _, group := range g.groups {
			var of []string
			for i := at; i < at+group.columns; i++ {
				if i == 0 {
					of = append(of, fmt.Sprintf("%-*s", widths[i], row[i]))
				} else {
					of = append(of, fmt.Sprintf("%*s", widths[i], row[i]))
				}
			}
			cells = append(cells, strings.Join(of, columnGap))
			at += group.columns
		}
		line(cells)
	}
	return text.String()
}

// widths returns the widths of the columns: those of the longest cells, the
// first of a group wider where its title is longer than all of it.
func (g grid) widths() []int {
	widths := make([]int, len(g.rows[0]))
	for _, row := range g.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	at := 0
	for _, group := range g.groups {
		widths[at] += max(0, utf8.RuneCountInString(group.title)-span(widths[at:at+group.columns]))
		at += group.columns
	}
	return widths
}

func span(widths []int) int {
	sum := len(columnGap) * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// ruled is a title in the middle of a rule: "--- ALPS ---". One that leaves no
// room for that stands alone, at the right as its column does.
func ruled(title string, width int) string {
	free := width - utf8.RuneCountInString(title) - 2
	if title == "" || free < 4 {
		return fmt.Sprintf("%*s", width, title)
	}
	return strings.Repeat("-", free/2) + " " + title + " " + strings.Repeat("-", free-free/2)
}

// ms is a time in ns as ms with three digits or more.
func ms(ns float64) string {
	switch v := ns / 1e6; {
	case v < 0.9995:
		return fmt.Sprintf("%.3f", v)
	case v < 9.995:
		return fmt.Sprintf("%.2f", v)
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

func ratio(r float64) string { return fmt.Sprintf("%.2f", r) }
