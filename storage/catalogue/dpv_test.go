// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"slices"
	"strings"
	"testing"
)

// The tables hold together: all that is named broader is there, nothing is
// above itself, everything ends at the root and speaks both languages.
func TestVocabulary(t *testing.T) {
	for root, list := range map[string][]Term{PurposeIRI + "Purpose": Purposes(), CategoryIRI + "PersonalData": Categories()} {
		for _, term := range list {
			if err := climb(term.IRI, nil); err != "" {
				t.Errorf("%s: %s", term.IRI, err)
			}
			if !Broader(root, term.IRI) {
				t.Errorf("%s does not lead to the root", term.IRI)
			}
			if term.IRI != root && len(term.Broader) == 0 {
				t.Errorf("%s is a second root", term.IRI)
			}
			en, fr := term.Words["en"], term.Words["fr"]
			if en.Title == "" || fr.Title == "" || (en.Description == "") != (fr.Description == "") {
				t.Errorf("%s lacks words: %v %v", term.IRI, en, fr)
			}
		}
	}
	if n := strings.Count(purposeTable, "\n") - 3; len(Purposes()) != n {
		t.Errorf("%d purposes in %d lines: one comes twice", len(Purposes()), n)
	}
}

// climb looks for a cycle, and for what is not there.
func climb(iri string, below []string) string {
	if slices.Contains(below, iri) {
		return "is above itself"
	}
	term, ok := Purpose(iri)
	if !ok {
		if term, ok = Category(iri); !ok {
			return "leads to " + iri + ", which is not there"
		}
	}
	for _, b := range term.Broader {
		if err := climb(b, append(below, iri)); err != "" {
			return err
		}
	}
	return ""
}

func TestRefused(t *testing.T) {
	red := []string{"Marketing", "Advertising", "PersonalisedAdvertising", "TargetedAdvertising", "SellDataToThirdParties", "SellInsightsFromData", "CustomerSolvencyMonitoring",
		"DirectMarketing", "PublicRelations", "PoliticalCampaign", "NoSuchPurpose"}
	for _, name := range red {
		if !Refused(PurposeIRI + name) {
			t.Errorf("%s is let pass", name)
		}
	}
	if len(Asked) != 13 {
		t.Errorf("%d purposes are offered", len(Asked))
	}
	for _, iri := range append([]string{PurposeIRI + "SellProducts", PurposeIRI + "CustomerManagement", PurposeIRI + "Personalisation"}, Asked...) {
		if Refused(iri) {
			t.Errorf("%s is refused", iri)
		}
	}
	for _, iri := range Asked {
		if term, _ := Purpose(iri); term.Words["fr"].Description == "" {
			t.Errorf("%s has no sentence", iri)
		}
	}
	if Refused("") == false || Refused("Marketing") == false {
		t.Error("what is no purpose is let pass")
	}
}

func TestBroader(t *testing.T) {
	p, c := PurposeIRI, CategoryIRI
	tests := []struct {
		wide, narrow string
		want         bool
	}{
		{p + "Marketing", p + "TargetedAdvertising", true},
		{p + "Personalisation", p + "TargetedAdvertising", true},
		{p + "TargetedAdvertising", p + "Marketing", false},
		{p + "ServiceProvision", p + "OptimisationForConsumer", true},
		{p + "ServiceProvision", p + "AcademicResearch", false},
		{c + "Financial", c + "Purchase", true},
		{c + "Location", c + "PhysicalAddress", true},
		{c + "Location", c + "Purchase", false},
		{"urn:x", "urn:x", true},
		{p + "Purpose", "urn:x", false},
	}
	for _, tt := range tests {
		if got := Broader(tt.wide, tt.narrow); got != tt.want {
			t.Errorf("%s above %s: %v", tt.wide, tt.narrow, got)
		}
	}
	if !Special(c+"Prescription") || Special(c+"Purchase") || Special("") {
		t.Error("health is special, purchases are not")
	}
}

// Every kind names categories and purposes that the vocabulary has.
func TestKindsSpeakTheVocabulary(t *testing.T) {
	for _, s := range Kinds() {
		for _, iri := range s.Categories {
			if _, ok := Category(iri); !ok {
				t.Errorf("%s: no category %s: write it right, or add it to dpv/categories.txt", s.Kind, iri)
			}
		}
		for _, iri := range s.Purposes {
			if _, ok := Purpose(iri); !ok {
				t.Errorf("%s: no purpose %s", s.Kind, iri)
			}
		}
	}
}

func TestTermsRefuse(t *testing.T) {
	if _, err := terms(PurposeIRI, "A | B | C\n"); err == nil {
		t.Error("a line of three columns is taken")
	}
}
