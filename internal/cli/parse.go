package cli

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

// exitCode is how a flag that ends the tool, such as --help, gets out of
// kong's parser. It is also the error that is returned for it.
type exitCode int

func (e exitCode) Error() string { return "exit " + strconv.Itoa(int(e)) }

// parse parses the command line into cmd.
func parse(args []string, io IO, cmd any, o options) (parsed *kong.Context, err error) {
	defer func() {
		if exit, ok := recover().(exitCode); ok {
			err = exit
		}
	}()
	var version struct {
		Version kong.VersionFlag `help:"Print the version and exit."`
	}
	parser, err := kong.New(cmd,
		kong.Name(io.Name),
		kong.Description(o.description),
		kong.Writers(io.Stdout, io.Stderr),
		kong.Exit(func(code int) { panic(exitCode(code)) }),
		kong.Embed(&version),
		kong.Vars{"version": io.Name + " " + buildVersion()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		strictNumbers(),
	)
	if err != nil {
		return nil, fmt.Errorf("the flags of %s are declared wrongly: %w", io.Name, err)
	}
	parsed, err = parser.Parse(args)
	if err != nil {
		return nil, &usageError{msg: err.Error()}
	}
	return parsed, nil
}

// buildVersion is the module's version, or the commit where it has none.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// strictNumbers replaces kong's decoders of numbers, which take 0x10, 010,
// 1_000, NaN and negative durations, by ones as strict as the streams'.
func strictNumbers() kong.Option {
	return kong.OptionFunc(func(k *kong.Kong) error {
		options := []kong.Option{kong.TypeMapper(reflect.TypeFor[time.Duration](), decoder("duration", decodeDuration))}
		for _, kind := range []reflect.Kind{reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64} {
			options = append(options, kong.KindMapper(kind, decoder("number", decodeInt)))
		}
		for _, kind := range []reflect.Kind{reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64} {
			options = append(options, kong.KindMapper(kind, decoder("number", decodeUint)))
		}
		for _, kind := range []reflect.Kind{reflect.Float32, reflect.Float64} {
			options = append(options, kong.KindMapper(kind, decoder("number", decodeFloat)))
		}
		for _, option := range options {
			if err := option.Apply(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// decoder makes a mapper of kong from a function that sets the target from a
// text. The name says in errors what is expected.
func decoder(expected string, set func(text string, target reflect.Value) error) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto(expected, &text); err != nil {
			return err
		}
		return set(text, target)
	}
}

var (
	wholeNumber   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	decimalNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
)

func decodeInt(text string, target reflect.Value) error {
	value, err := strconv.ParseInt(text, 10, target.Type().Bits())
	if err != nil || !wholeNumber.MatchString(text) {
		return fmt.Errorf("%q is not a whole number of %d bits", text, target.Type().Bits())
	}
	target.SetInt(value)
	return nil
}

func decodeUint(text string, target reflect.Value) error {
	value, err := strconv.ParseUint(text, 10, target.Type().Bits())
	if err != nil || !wholeNumber.MatchString(text) {
		return fmt.Errorf("%q is not a whole number from 0 to %d", text, uint64(math.MaxUint64)>>(64-target.Type().Bits()))
	}
	target.SetUint(value)
	return nil
}

func decodeFloat(text string, target reflect.Value) error {
	value, err := strconv.ParseFloat(text, target.Type().Bits())
	if err != nil || !decimalNumber.MatchString(text) {
		return fmt.Errorf("%q is not a decimal number", text)
	}
	target.SetFloat(value)
	return nil
}

func decodeDuration(text string, target reflect.Value) error {
	value, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 60s, 1m30s or 6ms", text)
	}
	if value < 0 {
		return fmt.Errorf("%q is negative", text)
	}
	target.SetInt(int64(value))
	return nil
}
