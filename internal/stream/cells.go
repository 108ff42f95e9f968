package stream

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Factor is a number from 0 to 1, which may have decimals.
type Factor float64

// checkText tells whether a cell may hold the text: UTF-8, without the one
// sequence that encoding/csv does not carry (it reads CR LF as LF).
func checkText(text string) error {
	if isPlain(text) {
		return nil
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s is not UTF-8", quote(text))
	}
	if strings.Contains(text, "\r\n") {
		return fmt.Errorf("%s holds a CR LF, which CSV does not carry", quote(text))
	}
	return nil
}

// checkRange tells whether value may stand in a column with that minimum.
func checkRange(value, minimum int64) error {
	if value >= minimum {
		return nil
	}
	if minimum == 0 {
		return fmt.Errorf("\"%d\" is negative", value)
	}
	return fmt.Errorf("\"%d\" is less than %d", value, minimum)
}

// parseWhole reads a whole decimal number that is at least minimum: digits
// without leading zeros, with a minus before them where it is negative.
// strconv.ParseInt is not used because it also takes a plus and leading zeros.
func parseWhole(text string, minimum int64) (int64, error) {
	if value, ok := parseDigits(text); ok && value >= minimum {
		return value, nil
	}
	digits, negative := strings.CutPrefix(text, "-")
	if text == "" {
		return 0, errEmptyCell
	}
	if digits == "" || negative && digits == "0" {
		return 0, notWhole(text)
	}
	var value uint64
	for i := range len(digits) {
		digit := uint64(digits[i] - '0')
		if digit > 9 {
			return 0, notWhole(text)
		}
		if value > (math.MaxUint64-digit)/10 {
			return 0, tooLarge(digits, text)
		}
		value = value*10 + digit
	}
	if digits[0] == '0' && len(digits) > 1 {
		return 0, fmt.Errorf("%s has a leading zero", quote(text))
	}
	switch {
	case negative && value <= -math.MinInt64:
		return -int64(value), checkRange(-int64(value), minimum)
	case !negative && value <= math.MaxInt64:
		return int64(value), checkRange(int64(value), minimum)
	}
	return 0, tooLarge(digits, text)
}

// safeDigits is how many digits always fit into 64 bits.
const safeDigits = 19

// parseDigits reads the most usual numbers: up to safeDigits digits without a
// leading zero. It tells whether the text is one that fits into an int64.
func parseDigits(text string) (value int64, ok bool) {
	if len(text) == 0 || len(text) > safeDigits || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	var sum uint64
	for i := range len(text) {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, false
		}
		sum = sum*10 + uint64(digit)
	}
	return int64(sum), sum <= math.MaxInt64
}

var errEmptyCell = errors.New("the cell is empty")

func notWhole(text string) error {
	return fmt.Errorf("%s is not a whole number", quote(text))
}

// tooLarge is the error for digits that do not fit, unless what follows the
// part that was read is no number at all.
func tooLarge(digits, text string) error {
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return notWhole(text)
		}
	}
	return fmt.Errorf("%s does not fit into 64 bits", quote(text))
}

// parseDecimal reads a number from 0 to maximum: digits without leading
// zeros, then perhaps a point and more digits. Exponents, NaN and Inf are
// refused.
func parseDecimal(text string, maximum float64) (float64, error) {
	if value, ok := parseDigits(text); ok && float64(value) <= maximum {
		return float64(value), nil
	}
	if text == "" {
		return 0, errEmptyCell
	}
	whole, fraction, point := strings.Cut(text, ".")
	if !allDigits(whole) || point && !allDigits(fraction) {
		return 0, fmt.Errorf("%s is not a decimal number from 0 to %g", quote(text), maximum)
	}
	if whole[0] == '0' && len(whole) > 1 {
		return 0, fmt.Errorf("%s has a leading zero", quote(text))
	}
	value, err := parseFloat(whole, fraction, text)
	if err != nil || value > maximum {
		return 0, fmt.Errorf("%s is more than %g", quote(text), maximum)
	}
	return value, nil
}

// exactDigits is how many digits a float64 holds exactly.
const exactDigits = 15

// parseFloat is strconv.ParseFloat for a text of digits, a point and digits.
// Where numerator and denominator are exact, their quotient is the float64 that
// is closest to the text, which is what that returns.
func parseFloat(whole, fraction, text string) (float64, error) {
	if len(whole)+len(fraction) > exactDigits {
		return strconv.ParseFloat(text, 64)
	}
	numerator, denominator := 0., 1.
	for i := range len(whole) {
		numerator = numerator*10 + float64(whole[i]-'0')
	}
	for i := range len(fraction) {
		numerator = numerator*10 + float64(fraction[i]-'0')
		denominator *= 10
	}
	return numerator / denominator, nil
}

func allDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

func checkDecimal(value, maximum float64) error {
	if value >= 0 && value <= maximum { // false for NaN
		return nil
	}
	return fmt.Errorf("%g is not a number from 0 to %g", value, maximum)
}

func formatDecimal(value float64) string {
	if value == 0 {
		return "0" // also for -0, which the reader refuses
	}
	// strconv takes long to find the shortest text that is read as the value.
	// Up to four decimals it is the only one of so few digits, so that whatever
	// is read as the value is it.
	const scale = 10_000
	scaled := math.Round(value * scale)
	if scaled < 0 || scaled > 100*scale || scaled/scale != value {
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	whole, fraction := int64(scaled)/scale, int64(scaled)%scale
	text := strconv.AppendInt(make([]byte, 0, 8), whole, 10)
	if fraction > 0 {
		point := len(text)
		text = strconv.AppendInt(text, scale+fraction, 10) // a 1, and the decimals
		text[point] = '.'
		text = bytes.TrimRight(text, "0")
	}
	return string(text)
}

// quotedBytes bounds how much of a cell an error message repeats.
const quotedBytes = 60

// quote is the text as an error message shows it.
func quote(text string) string {
	if len(text) > quotedBytes {
		return strconv.Quote(text[:quotedBytes]) + "..."
	}
	return strconv.Quote(text)
}

// UnmarshalCSV reads a cell; its error says what is wrong with the text.
func (v *Integer) UnmarshalCSV(text string) error {
	value, err := parseWhole(text, math.MinInt64)
	*v = Integer(value)
	return err
}

// UnmarshalCSV reads a cell; its error says what is wrong with the text.
func (v *Count) UnmarshalCSV(text string) error {
	value, err := parseWhole(text, 1)
	*v = Count(value)
	return err
}

// UnmarshalCSV reads a cell; its error says what is wrong with the text.
func (v *Nanos) UnmarshalCSV(text string) error {
	value, err := parseWhole(text, 0)
	*v = Nanos(value)
	return err
}

// UnmarshalCSV reads a cell; its error says what is wrong with the text.
func (v *Whole) UnmarshalCSV(text string) error {
	value, err := parseWhole(text, 0)
	*v = Whole(value)
	return err
}

// UnmarshalCSV reads a cell, which may be empty; its error says what is wrong
// with the text.
func (v *OptNanos) UnmarshalCSV(text string) error {
	if text == "" {
		*v = OptNanos{}
		return nil
	}
	v.Valid = true
	return v.Nanos.UnmarshalCSV(text)
}

// UnmarshalCSV reads a cell; its error says what is wrong with the text.
func (v *Percent) UnmarshalCSV(text string) error {
	value, err := parseDecimal(text, 100)
	*v = Percent(value)
	return err
}

// UnmarshalCSV reads a cell; its error says what is wrong with the text.
func (v *Factor) UnmarshalCSV(text string) error {
	value, err := parseDecimal(text, 1)
	*v = Factor(value)
	return err
}

// UnmarshalCSV reads a cell; its error says what is wrong with the text.
func (v *Name) UnmarshalCSV(text string) error {
	*v = Name(text)
	return v.check()
}

// UnmarshalCSV reads a cell, which may be empty; its error says what is wrong
// with the text. The value does not share the text's memory.
func (v *Kind) UnmarshalCSV(text string) error {
	switch text {
	case "":
		*v = ""
	case string(Process):
		*v = Process
	case string(Request):
		*v = Request
	case string(Cgroup):
		*v = Cgroup
	default:
		return fmt.Errorf("%s is neither %s, %s nor %s", quote(text), Process, Request, Cgroup)
	}
	return nil
}

func (v Kind) check() error { return new(Kind).UnmarshalCSV(string(v)) }

func (v Name) check() error {
	if v == "" {
		return errEmptyCell
	}
	return checkText(string(v))
}

func (v OptNanos) check() error {
	if !v.Valid {
		return nil
	}
	return checkRange(int64(v.Nanos), 0)
}
