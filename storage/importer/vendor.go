// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"regexp"
	"strings"
)

// vendor is who sent a bill, and what kind of bill it sends.
type vendor struct{ name, kind string }

// vendors are those that many households in France get bills from. Those whose
// names are words of their own count only where the law makes a company say who
// it is.
var vendors = []struct {
	vendor
	common bool
}{
	{vendor{"Bouygues Telecom", "telecom"}, false}, {vendor{"Free Mobile", "telecom"}, false}, {vendor{"Free", "telecom"}, true},
	{vendor{"SFR", "telecom"}, false}, {vendor{"Orange", "telecom"}, true}, {vendor{"Sosh", "telecom"}, false}, {vendor{"La Poste Mobile", "telecom"}, false},
	{vendor{"OVH", "telecom"}, false}, {vendor{"EDF", "energy"}, false}, {vendor{"Electricité de France", "energy"}, false}, {vendor{"Engie", "energy"}, false},
	{vendor{"TotalEnergies", "energy"}, false}, {vendor{"Total Direct Energie", "energy"}, false}, {vendor{"Eni", "energy"}, true}, {vendor{"Vattenfall", "energy"}, false},
	{vendor{"ekWateur", "energy"}, false}, {vendor{"Enercoop", "energy"}, false}, {vendor{"Octopus Energy", "energy"}, false}, {vendor{"Plüm Energie", "energy"}, false},
	{vendor{"Veolia", "water"}, false}, {vendor{"Suez", "water"}, true}, {vendor{"Eau de Paris", "water"}, false}, {vendor{"Eau du Grand Lyon", "water"}, false}, {vendor{"Saur", "water"}, true},
	{vendor{"MAIF", "insurance"}, false}, {vendor{"MACIF", "insurance"}, false}, {vendor{"Matmut", "insurance"}, false}, {vendor{"GMF", "insurance"}, false}, {vendor{"MMA", "insurance"}, false},
	{vendor{"AXA", "insurance"}, false}, {vendor{"Allianz", "insurance"}, false}, {vendor{"Groupama", "insurance"}, false}, {vendor{"Luko", "insurance"}, false},
	{vendor{"Harmonie Mutuelle", "health"}, false}, {vendor{"MGEN", "health"}, false}, {vendor{"Malakoff Humanis", "health"}, false}, {vendor{"Alan", "health"}, true},
	{vendor{"SNCF", "transport"}, false}, {vendor{"RATP", "transport"}, false}, {vendor{"Uber", "transport"}, true}, {vendor{"Blablacar", "transport"}, false},
	{vendor{"Amazon", "shop"}, false}, {vendor{"Ikea", "shop"}, false}, {vendor{"Fnac", "shop"}, false}, {vendor{"Darty", "shop"}, false},
}

// legalForm is what a French company must print: its form and its capital.
var legalForm = regexp.MustCompile(`^(.{0,60}?)[\s,–-]*(?:\b(?:Société [Aa]nonyme|SOCIÉTÉ ANONYME|société anonyme|S\.?A\.?S\.?U?\.?|S\.?A\.?|S\.?A\.?R\.?L\.?|SNC|SCA|SE|EURL|Société par actions simplifiée|société par actions simplifiée))[^.]{0,40}? au capital`)

// vendorOf finds who sent a bill: by the line that says its legal form, or by
// the one name on the page that many know. Nobody, when neither is there.
func vendorOf(p paper) vendor {
	for i, line := range p.lines {
		for _, column := range strings.Split(line, "\t") {
			m := legalForm.FindStringSubmatch(column)
			if m == nil {
				continue
			}
			name := strings.Trim(m[1], " -–,.:")
			if name == "" {
				name = nameAbove(p.lines[:i])
			}
			if name != "" {
				return known(name)
			}
		}
	}
	for _, line := range p.folded {
		for _, v := range vendors {
			if !v.common && hasWords(line, v.name) {
				return v.vendor
			}
		}
	}
	return vendor{}
}

// nameAbove is the nearest of three lines above whose first column has no
// figures, as addresses have.
func nameAbove(lines []string) string {
	for i := len(lines) - 1; i >= 0 && i >= len(lines)-3; i-- {
		first, _, _ := strings.Cut(lines[i], "\t")
		if !strings.ContainsAny(first, "0123456789") && len(first) <= 60 {
			return first
		}
	}
	return ""
}

// known spells a name as in the list, when it has one of those in it.
func known(name string) vendor {
	for _, v := range vendors {
		if hasWords(Fold(name), v.name) {
			return v.vendor
		}
	}
	return vendor{name: name}
}

// hasWords says whether a folded text has a name in it, as whole words.
func hasWords(folded, name string) bool {
	name = Fold(name)
	for at := 0; ; {
		i := strings.Index(folded[at:], name)
		if i < 0 {
			return false
		}
		from, end := at+i, at+i+len(name)
		if (from == 0 || !isWord(folded[from-1])) && (end == len(folded) || !isWord(folded[end])) {
			return true
		}
		at = end
	}
}

func isWord(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80 }
