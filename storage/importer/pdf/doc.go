// SPDX-License-Identifier: Apache-2.0

// Package pdf reads what a bill needs of a PDF file: the files attached to it,
// and the words on its pages, line by line as a person sees them.
//
// Bytes come from anybody, so each number in them is only believed as far as it
// goes well: nothing is allocated because a file says so, every object, string
// and stream has a greatest size, all work is paid from one budget, which loops
// exhaust. Cross-references that are missing or wrong are made anew from the
// objects that are found. (That is why no library stands here: those at hand
// make a table of four thousand million rows when a file of 180 bytes says so,
// which no recover can mend, and a hexadecimal string without an end keeps them
// for ever.)
//
// It knows no pictures (a scanned page has no words), no drawing, no passwords
// (an encrypted file is refused), and not what the words mean.
//
// The way in is [Open].
package pdf
