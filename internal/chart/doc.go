// Package chart draws the pictures of the project, all with one look: how long
// invocations took ([Distributions]), bars by class ([Bars]), lines over a
// parameter ([Lines]) and a table of shades ([Heat]). It reads values and writes
// an SVG or PNG file, 18 cm wide, that needs no text beside it: the legend, the
// units and whether a scale is logarithmic stand in the picture.
//
// A series has a colour, a dash pattern, a marker and a hatching, so that it can
// be told apart on paper without colours. A scheduler that is known by name
// (srpt, alps, fifo, rr, cfs, eevdf or linux, sfs, gittins; the first word of
// the series' name, in any case) looks the same in all pictures; the others
// take what is left, in their order.
//
// The same values give the same bytes. A file is there completely or not at all.
//
//	if err := chart.CheckPath(path); err != nil { // before a long computation
//		return err
//	}
//	err := chart.Distributions{
//		Title: "Turnaround of 600 invocations on 1 CPU",
//		X:     chart.Axis{Label: "turnaround", Unit: chart.Ns},
//		Curves: []chart.Curve{
//			chart.NewCurve("EEVDF", eevdfNs),
//			chart.NewCurve("ALPS", alpsNs),
//		},
//	}.Save(path)
package chart
