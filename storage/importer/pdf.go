// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/traboule/traboule/storage/importer/pdf"
)

// pdfFormat is a PDF file: with an invoice for machines attached (Factur-X,
// ZUGFeRD, XRechnung) it is that invoice, else a bill whose words are read.
var pdfFormat = Format{
	Name: "pdf",
	Fits: func(h Head) Fit {
		if bytes.Contains(h.Bytes[:min(len(h.Bytes), 1024)], []byte("%PDF-")) {
			return Sure
		}
		return No
	},
	Read: readPDF,
}

// invoiceNames are what the invoice attached to a PDF file is called, the best
// first; orderNames what an order is.
var (
	invoiceNames = []string{"factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml"}
	orderNames   = []string{"order-x.xml", "cio.xml", "cida.xml"}
)

func readPDF(ctx context.Context, src *Source, to *Sink) error {
	b, err := src.Bytes(pdf.MaxSize)
	if err != nil {
		return err
	}
	f, err := pdf.Open(ctx, b)
	if err != nil {
		return pdfReason(ctx, err)
	}
	files, err := f.Attachments()
	if err != nil {
		return pdfReason(ctx, err)
	}
	if a, ok := attached(files, invoiceNames); ok {
		return readAttached(ctx, src, a, to)
	}
	if _, ok := attached(files, orderNames); ok {
		return Why("order")
	}
	pages, known, err := f.Lines()
	if err != nil {
		return pdfReason(ctx, err)
	}
	switch words := slices.ContainsFunc(pages, func(p []string) bool { return len(p) > 0 }); {
	case !words:
		return Why("pdf-no-text")
	case known < 0.5:
		return Why("pdf-hidden-text")
	}
	return readBill(pages, src.Options, to)
}

func pdfReason(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, pdf.ErrEncrypted):
		return Why("encrypted").Because(err)
	case errors.Is(err, pdf.ErrCut):
		return Why("cut").Because(err)
	case errors.Is(err, pdf.ErrTooMuch):
		return Why("pdf-too-much").Because(err)
	}
	return Why("pdf-damaged").Because(err)
}

// attached finds a file by one of these names, the first name first.
func attached(files []pdf.Attachment, names []string) (pdf.Attachment, bool) {
	for _, name := range names {
		for _, a := range files {
			if strings.EqualFold(strings.TrimSpace(a.Name), name) {
				return a, true
			}
		}
	}
	return pdf.Attachment{}, false
}

func readAttached(ctx context.Context, src *Source, a pdf.Attachment, to *Sink) error {
	b, err := a.Bytes()
	if err != nil {
		return pdfReason(ctx, err)
	}
	inner := Content(src.Name+"/"+strings.TrimSpace(a.Name), b, src.Options)
	inner.ctx = ctx
	if err := inner.look(); err != nil {
		return err
	}
	if ciiFormat.Fits(inner.Head) == No {
		return invoiceRoot(inner.Head.root().Local)
	}
	return readCII(ctx, inner, to)
}
