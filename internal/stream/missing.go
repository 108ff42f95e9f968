package stream

// Optional lets the input lack a column that it must have otherwise, for a caller
// who does not need it; the value of its rows is then the zero one.
func Optional(column string) Option {
	return func(o *options) { o.optional = append(o.optional, column) }
}

// Hint is what the error adds if this column alone is missing: how the caller can
// do without.
func Hint(column, hint string) Option {
	return func(o *options) {
		if o.hints == nil {
			o.hints = make(map[string]string)
		}
		o.hints[column] = "; " + hint
	}
}
