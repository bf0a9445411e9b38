// SPDX-License-Identifier: Apache-2.0

package view

import (
	"sort"

	"github.com/traboule/traboule/storage/record"
)

// Grid is a rank on the ladder of places. Each cell lies within one of the
// next.
type Grid int

// The grids.
const (
	Exact Grid = iota
	Hundred
	Kilometre
	TenKilometres
)

var gridNames = [...]string{Exact: "exact", Hundred: "100m", Kilometre: "1km", TenKilometres: "10km"}

// String is the grid's name, and "" for none.
func (g Grid) String() string {
	if g < Exact || g > TenKilometres {
		return ""
	}
	return gridNames[g]
}

// GridNamed finds a grid by its name.
func GridNamed(name string) (Grid, bool) {
	for g, n := range gridNames {
		if n == name {
			return Grid(g), true
		}
	}
	return 0, false
}

// The grid in units of 1e-7 degrees: how high a cell of 10 km is, a tenth of a
// degree, and how far the earth reaches.
const (
	tenth    = 1e6
	halfTurn = 180e7
	pole     = 90e7
)

// widths says how many tenths of a degree wide the cells of 10 km are in the
// bands (a tenth of a degree high) that end, away from the equator, at most at
// this latitude in tenths of a degree. So each cell is 10 km wide or more at
// its narrower side, on a sphere of 6,371 km, and a whole number of them goes
// around the earth. The cells of 1 km and 100 m are a tenth and a hundredth.
var widths = []struct{ upTo, tenths int64 }{
	{259, 1}, {632, 2}, {725, 3}, {770, 4}, {796, 5}, {813, 6}, {835, 8}, {842, 9},
	{848, 10}, {857, 12}, {865, 15}, {867, 16}, {871, 18}, {874, 20}, {878, 24}, {879, 25},
	{882, 30}, {885, 36}, {887, 40}, {888, 45}, {889, 48}, {891, 60}, {892, 72}, {893, 75},
	{894, 90}, {895, 120}, {896, 144}, {897, 180}, {898, 300}, {899, 600},
	{900, 3600},
}

// Cell is the place in the middle of the cell of grid g that holds v, which is
// a place. Of Exact it is v.
func (g Grid) Cell(v record.Value) record.Value {
	if g == Exact || v.IsNull() {
		return v
	}
	north, east := v.E7()
	height := int64(tenth)
	for range TenKilometres - g {
		height /= 10
	}
	lat := min(int64(north)+pole, 2*pole-1) // the pole belongs to the cells below it
	lon := modulo(int64(east)+halfTurn, 2*halfTurn)
	width := height * tenthsWide(lat/tenth)
	cell, err := record.E7(lat-lat%height+height/2-pole, lon-lon%width+width/2-halfTurn)
	if err != nil {
		panic("view: a cell beyond the earth") // the steps divide both turns
	}
	return cell
}

// tenthsWide is how wide the cells of a band are, counted from the south pole.
func tenthsWide(band int64) int64 {
	away := band - 900 + 1 // of the band's northern edge
	if away <= 0 {
		away = 1 - away // its southern one
	}
	return widths[sort.Search(len(widths), func(i int) bool { return away <= widths[i].upTo })].tenths
}
