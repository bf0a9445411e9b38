// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"fmt"
	"strings"
)

const dpv = "https://w3id.org/dpv#"

// Purposes are short words for the purposes people give most often, each with
// the term of the Data Privacy Vocabulary (W3C community group, version 2) that
// a grant carries. What people read, in their language, is the catalogue's
// business.
var Purposes = map[string]string{
	"service":         dpv + "ServiceProvision",
	"optimisation":    dpv + "OptimisationForConsumer",
	"personalisation": dpv + "Personalisation",
	"research":        dpv + "ResearchAndDevelopment",
	"academic":        dpv + "AcademicResearch",
	"public":          dpv + "PublicBenefit",
	"backup":          dpv + "RecordManagement",
	"family":          dpv + "NonCommercialPurpose",
}

// PurposeIRI reads a purpose given as a word of [Purposes] or as an IRI, and
// returns the IRI.
func PurposeIRI(s string) (string, error) {
	if iri, ok := Purposes[s]; ok {
		return iri, nil
	}
	if err := checkIRI(s); err != nil {
		return "", fmt.Errorf("purpose %q: %w", s, err)
	}
	return s, nil
}

// PurposeWord is the word for an IRI, or "" if there is none.
func PurposeWord(iri string) string {
	for word, known := range Purposes {
		if known == iri {
			return word
		}
	}
	return ""
}

// checkIRI accepts absolute IRIs (RFC 3987) in ASCII: a scheme, a colon, and
// something after it without spaces or delimiters.
func checkIRI(s string) error {
	if len(s) > MaxText {
		return fmt.Errorf("%d bytes, at most %d", len(s), MaxText)
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || rest == "" || !isScheme(scheme) {
		return errors.New("neither a known word nor an absolute IRI")
	}
	for _, r := range rest {
		if r <= ' ' || r > '~' || strings.ContainsRune("<>\"{}|\\^`", r) {
			return fmt.Errorf("an IRI may not hold %q", r)
		}
	}
	return nil
}

func isScheme(s string) bool {
	for i, r := range s {
		letter := 'a' <= r && r <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", r)) {
			return false
		}
	}
	return s != ""
}
