// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
)

// Read reads one file: it finds the format that fits it and gives the sink its
// rows. The report says what was found; its Refused says why the file is
// refused as a whole, and then whoever has taken rows of it must forget them.
// The error is another: that of the sink, or of ctx.
//
// Where the file lies on the disk, in a folder or in a zip: see [Files].
func Read(ctx context.Context, s *Source, to *Sink) (*Report, error) {
	s.ctx = ctx
	report := &Report{File: s.Name}
	format, why := s.identify()
	if why != nil {
		report.Refused = why
		return report, ctx.Err()
	}
	report.Format = format.Name
	to.begin()
	s.to = to
	err := s.unmoved(read(ctx, format, s, to))
	to.report(report)
	return report, report.settle(ctx, to, err)
}

// read runs a format, and takes its panic for a refusal: the bytes are anybody's.
func read(ctx context.Context, f *Format, s *Source, to *Sink) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Why("importer-failed", "format", f.Name).Because(fmt.Errorf("%v\n%s", v, debug.Stack()))
		}
	}()
	return f.Read(ctx, s, to)
}

// unmoved is how the reading of the file ended. One that was written to meanwhile
// is refused, whatever was read: its last number may be half of one.
func (s *Source) unmoved(err error) error {
	var why *Reason
	if s.moved != nil && (err == nil || errors.As(err, &why)) && s.moved() {
		return Why("changing")
	}
	return err
}

// settle puts into the report what the reading ended with.
func (r *Report) settle(ctx context.Context, to *Sink, err error) error {
	rows := 0
	for _, k := range r.Kinds {
		rows += k.Rows
	}
	var why *Reason
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &why):
		r.Refused = why
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		r.Refused = Why("cut").Because(err)
	case err != nil:
		return fmt.Errorf("import %s: %w", r.File, err)
	case rows == 0 && r.RejectedRows > 0:
		r.Refused = to.nothingGood()
	case rows == 0:
		r.Refused = Why("nothing-in-it")
	}
	return nil
}

// identify looks at the file, if nobody has yet, and finds its format.
func (s *Source) identify() (*Format, *Reason) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	if s.Head.Bytes == nil {
		if err := s.look(); err != nil {
			return nil, asReason(err)
		}
	}
	if isZip(s.Head.Bytes) && s.Head.Members == nil {
		z, err := s.openZip()
		if err != nil {
			return nil, asReason(err)
		}
		s.Head.Members = z.names()
		z.Close()
	}
	return s.recognise()
}

// recognise asks each format; the surest is it.
func (s *Source) recognise() (*Format, *Reason) {
	if s.As != "" {
		return named(s.As)
	}
	if s.Map != nil || s.Kind != nil {
		return named(mapped)
	}
	if len(s.Head.Bytes) == 0 {
		return nil, Why("empty")
	}
	best, surest := []*Format(nil), No
	for i := range Formats {
		f := &Formats[i]
		switch fit := f.Fits(s.Head); {
		case fit == No || fit < surest:
		case fit > surest:
			best, surest = []*Format{f}, fit
		default:
			best = append(best, f)
		}
	}
	switch len(best) {
	case 0:
		return nil, s.Head.unknown()
	case 1:
		return best[0], nil
	}
	return nil, Why("several-formats", "formats", best[0].Name+", "+best[1].Name).Because(ErrUnknown)
}

// mapped is the name of the format that reads any table by a [Mapping].
const mapped = "csv-mapped"

// Known says whether there is a format of this name.
func Known(name string) bool {
	_, why := named(name)
	return why == nil
}

func named(name string) (*Format, *Reason) {
	i := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return nil, Why("no-such-format", "name", clip(name))
	}
	return &Formats[i], nil
}

func asReason(err error) *Reason {
	var why *Reason
	if errors.As(err, &why) {
		return why
	}
	return Why("unreadable").Because(err)
}

// magic are beginnings that say what a file is.
var magic = []struct{ start, is string }{
	{"%PDF", "PDF"}, {"PK\x03\x04", "zip"}, {"\x1f\x8b", "gzip"}, {"7z\xBC\xAF", "7z"}, {"Rar!", "RAR"}, {"BZh", "bzip2"}, {"\x28\xB5\x2F\xFD", "zstd"},
	{"\x89PNG", "PNG"}, {"\xFF\xD8\xFF", "JPEG"}, {"GIF8", "GIF"}, {"SQLite format 3", "SQLite"}, {"\xD0\xCF\x11\xE0", "XLS, DOC"}, {"PAR1", "Parquet"},
	{"<!DOCTYPE html", "HTML"}, {"<html", "HTML"}, {"-----BEGIN PGP", "PGP"},
}

// unknown refuses a file that nobody knows.
func (h Head) unknown() *Reason {
	if seen := h.seen(); seen != "" {
		return Why("unknown-format", "seen", seen).Because(ErrUnknown)
	}
	return Why("unknown-bytes").Because(ErrUnknown)
}

// seen says in a few words what a file is that nobody knows; "" for bytes that
// are no text.
func (h Head) seen() string {
	for _, m := range magic {
		if strings.HasPrefix(string(h.Bytes), m.start) {
			return m.is
		}
	}
	text := strings.TrimSpace(h.Text)
	switch {
	case text == "":
		return ""
	case text[0] == '{' || text[0] == '[':
		return "JSON: " + clip(strings.Join(strings.Fields(text), " "))
	case text[0] == '<':
		return "XML: " + clip(strings.Join(strings.Fields(text), " "))
	}
	line, _, _ := strings.Cut(text, "\n")
	return clip(strings.TrimSpace(line))
}
