// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/traboule/traboule/storage/record"
)

// Where the terms of the Data Privacy Vocabulary live.
const (
	PurposeIRI  = "https://w3id.org/dpv#"    // a purpose's name follows
	CategoryIRI = "https://w3id.org/dpv/pd#" // a category's name follows
)

// Term is a purpose, or a category of personal data, of the Data Privacy
// Vocabulary (DPV 2.2), in words for people.
type Term struct {
	IRI     string
	Broader []string // IRIs of what it is narrower than, directly
	Words   map[string]record.Words

	red bool
}

// Asked are the purposes that people are offered for what they share, the first
// unless they choose another.
var Asked = []string{
	PurposeIRI + "RequestedServiceProvision", PurposeIRI + "OptimisationForConsumer", PurposeIRI + "ProvidePersonalisedRecommendations",
	PurposeIRI + "ServicePersonalisation", PurposeIRI + "PaymentManagement", PurposeIRI + "RecordManagement", PurposeIRI + "CustomerClaimsManagement",
	PurposeIRI + "CombatClimateChange", PurposeIRI + "ImproveTransportMobility", PurposeIRI + "DataAltruism", PurposeIRI + "AcademicResearch",
	PurposeIRI + "ScientificResearch", PurposeIRI + "ProvideOfficialStatistics",
}

//go:embed dpv/purposes.txt
var purposeTable string

//go:embed dpv/categories.txt
var categoryTable string

var (
	purposes   = sync.OnceValue(func() map[string]Term { return mustTerms(PurposeIRI, purposeTable) })
	categories = sync.OnceValue(func() map[string]Term { return mustTerms(CategoryIRI, categoryTable) })
)

// Purpose is what is known of a purpose.
func Purpose(iri string) (Term, bool) {
	t, ok := purposes()[iri]
	return t, ok
}

// Category is what is known of a category of personal data.
func Category(iri string) (Term, bool) {
	t, ok := categories()[iri]
	return t, ok
}

// Purposes lists all purposes by their IRIs.
func Purposes() []Term { return listed(purposes()) }

// Categories lists all categories by their IRIs.
func Categories() []Term { return listed(categories()) }

func listed(terms map[string]Term) []Term {
	var list []Term
	for _, t := range terms {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Term) int { return strings.Compare(a.IRI, b.IRI) })
	return list
}

// Broader says whether a purpose or a category is another one or stands above
// it, however far. What the vocabulary does not have stands above itself alone.
func Broader(wide, narrow string) bool {
	return wide == narrow || anyAbove(narrow, func(iri string) bool { return iri == wide })
}

// Refused says whether a purpose is one that people are shown in red and that
// is refused unless they say otherwise: marketing, selling data, judging who
// can pay, and all that is narrower. What the vocabulary does not have is
// refused too, for nobody can say what it means.
func Refused(purpose string) bool {
	_, ok := Purpose(purpose)
	red := func(iri string) bool { return purposes()[iri].red }
	return !ok || red(purpose) || anyAbove(purpose, red)
}

// Special says whether a category is one of those that article 9 of the GDPR
// protects: health, for one.
func Special(category string) bool {
	red := func(iri string) bool { return categories()[iri].red }
	return red(category) || anyAbove(category, red)
}

// anyAbove says whether something above a term is such. The tables have no
// cycles, which a test sees to.
func anyAbove(iri string, such func(string) bool) bool {
	t, ok := Purpose(iri)
	if !ok {
		t, _ = Category(iri)
	}
	return slices.ContainsFunc(t.Broader, func(b string) bool { return such(b) || anyAbove(b, such) })
}

func mustTerms(space, table string) map[string]Term {
	m, err := terms(space, table)
	if err != nil {
		panic("catalogue: " + err.Error()) // a test reads both
	}
	return m
}

// terms reads a table: "!Name | Broader, Broader | English | French" and
// perhaps a sentence in both.
func terms(space, table string) (map[string]Term, error) {
	m := map[string]Term{}
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		c := strings.Split(line, "|")
		for i := range c {
			c[i] = strings.TrimSpace(c[i])
		}
		if len(c) != 4 && len(c) != 6 {
			return nil, fmt.Errorf("%d columns in %q", len(c), line)
		}
		c = append(c, "", "")
		name, red := strings.CutPrefix(c[0], "!")
		t := Term{IRI: space + name, red: red, Words: map[string]record.Words{"en": {Title: c[2], Description: c[4]}, "fr": {Title: c[3], Description: c[5]}}}
		for b := range strings.SplitSeq(c[1], ",") {
			if b = strings.TrimSpace(b); b != "" {
				t.Broader = append(t.Broader, space+b)
			}
		}
		m[t.IRI] = t
	}
	return m, nil
}
