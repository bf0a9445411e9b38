// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// placed reads a file by the format that fits it, which must be the one named,
// and spells what comes of it: a line for each row, each rejected row and the
// refusal.
func placed(t *testing.T, format, content string, o Options) string {
	t.Helper()
	r, rows := take(t, content, o)
	if r.Format != format {
		t.Fatalf("read as %q, not %q: %v", r.Format, format, r.Refused)
	}
	var lines []string
	for _, x := range rows {
		lines = append(lines, x.String())
	}
	for _, bad := range r.Rejected {
		lines = append(lines, fmt.Sprintf("rejected %d: %s", bad.Line, bad.Reason.Code))
	}
	if r.Refused != nil {
		return "refused: " + r.Refused.Code
	}
	return strings.Join(lines, "\n")
}

// asPlaced are files of our own making and what comes of them, in order.
type asPlaced []struct {
	name, content, want string
}

func (tests asPlaced) run(t *testing.T, format string) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.ReplaceAll(strings.TrimSpace(tt.want), "\t", "")
			if d := cmp.Diff(want, placed(t, format, tt.content, Options{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDegrees(t *testing.T) {
	for in, want := range map[string]string{
		"48.833657°, 2.256223°": "48.833657,2.256223", "geo:27.720022,-97.347951": "27.720022,-97.347951", "geo:1,2,3;u=35": "1,2", "48.8Â°, -2.2Â°": "48.8,-2.2",
		"52.520000N,13.405000W": "52.52,-13.405", "33.5 s,70.6e": "-33.5,70.6", "1e1,2": "10,2", " 1.5º , 2º N": "", "91,0": "", "0,181": "", "1": "", "": "", "NaN,1": "", "0x1p2,1": "", "-1S,2": "", "inf,1": "", "1_0,2": "",
	} {
		if got := latLon(in).String(); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := degrees("52,5200", "13,4050").String(); got != "52.52,13.405" {
		t.Errorf("with commas: %q", got)
	}
	for _, tt := range []struct {
		lat, lon int64
		want     string
	}{{457578137, 48320114, "45.7578137,4.8320114"}, {4294967296 - 338688000, 1512093000, "-33.8688,151.2093"}, {457578137, 4294967296 - 1178261000, "45.7578137,-117.8261"}, {900000001, 0, ""}, {0, 1800000001, ""}, {-900000001, 0, ""}} {
		if got := e7(tt.lat, tt.lon).String(); got != tt.want {
			t.Errorf("%d, %d is %q, want %q", tt.lat, tt.lon, got, tt.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	for in, want := range map[string]string{"17.634344400269068": "17.634", "-0.0004": "0", "12": "12", "1e3": "1000", "": "", "x": "", "NaN": "", "1e300": "", "1234567890123456": "", "-": ""} {
		if got := measure(in).String(); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := scaled(measure("36"), factors["kmh"]).String(); got != "10" {
		t.Errorf("36 km/h is %s m/s", got)
	}
}
