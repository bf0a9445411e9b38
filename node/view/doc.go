// SPDX-License-Identifier: Apache-2.0

// Package view says which part of a data set of records may be seen, and how
// coarse, and cuts that part out: columns with their coarsening, conditions on
// rows, a span of time, nested ladders of time and of place.
//
// It knows what rows are like (storage/record) and what a bucket is in the zone
// of a data set. It does not know who asks, what was granted, or how a grant
// is written down (protocol/grant: package node joins the two), nor where rows
// are kept: they come from a [Source]. It writes nothing, starts nothing, and
// asks no clock: the moment is an argument.
//
// What it promises is on protocol/spec/views.md: of a view that is coarser
// than raw, only whole buckets that are over leave, as they were known when
// the current bucket began, and so everything asked within one bucket has one
// answer, whatever is asked and however often.
//
// The way in is [Parse] for what is asked, [View.Parts] for what there is to
// cut, [View.Cut] for the rows.
package view
