// SPDX-License-Identifier: Apache-2.0

// Package catalogue describes the common kinds of personal data: one JSON
// Schema for each in the folder kinds, with what people read about it and its
// fields in French and English, who holds such data, how often they promise
// something new.
//
// With them go the words of the Data Privacy Vocabulary for what data are of use
// for and which sort they are, what is broader than what, and which purposes
// are refused unless the person says otherwise: [Purpose], [Category],
// [Broader], [Refused].
//
// A description of the user's own is read by [Load], which is strict, and used as
// ours are; what its JSON Schema demands beyond types is held by [Rules]. What is
// wrong with either is a [*Wrong]: the field, the place, the rule. Whether a source has
// missed its promise, [Stale] says.
//
// It knows what data are like, not where they lie, nor where descriptions of the
// user's own are kept, nor how files spell them.
//
// The way in is [Kind].
package catalogue
