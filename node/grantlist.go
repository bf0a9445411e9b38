// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"slices"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/protocol/grant"
)

func (n *Node) grants(ctx context.Context, _ None, _ func(Progress)) (GrantsResult, error) {
	r := GrantsResult{Given: []GrantLine{}, Received: []GrantLine{}}
	_, r.SuspendedBy = n.suspended()
	for _, g := range n.book.givenOn("") {
		r.Given = append(r.Given, n.givenLine(g))
	}
	for _, g := range n.book.receivedList() {
		r.Received = append(r.Received, n.receivedLine(g))
	}
	for _, line := range slices.Concat(r.Given, r.Received) {
		n.tellZone(ctx, line)
	}
	return r, nil
}

func (n *Node) givenLine(g given) GrantLine {
	line := grantLine(g.cid, g.grant, g.issued)
	line.Direction, line.Contact, line.Name = "given", n.book.nameOf(g.Audience), n.datasetName(g.Dataset)
	line.Deliveries, line.Files, line.Bytes = g.deliveries, g.last.Files, g.last.Bytes
	line.Rows = g.last.Rows
	line.LastVersion, line.LastTime = versionNumber(g.last.Version), g.lastTime
	switch now := n.now(); {
	case g.revoked:
		line.State = "revoked"
	case now.After(g.grant.Until):
		line.State = "expired"
	case n.vault.Suspended() != "":
		line.State = "suspended"
	case !g.acknowledged:
		line.State = "pending"
	default:
		line.State = "live"
	}
	return line
}

func (n *Node) receivedLine(r received) GrantLine {
	line := grantLine(r.cid, r.grant, r.since)
	line.Direction, line.Contact, line.Name = "received", n.book.nameOf(r.giver()), r.Name
	if d, err := n.vault.Lookup(string(r.Dataset)); err == nil {
		line.Name = d.Name
	}
	line.Deliveries, line.Files, line.Bytes = r.count, r.last.Files, r.last.Bytes
	line.Rows = r.last.Rows
	line.LastVersion, line.LastTime = versionNumber(r.last.Version), r.at
	switch {
	case r.over:
		line.State = "revoked"
	case n.now().After(r.grant.Until):
		line.State = "expired"
	default:
		line.State = "live"
	}
	return line
}

func grantLine(c cid.Cid, g grant.Grant, from time.Time) GrantLine {
	purpose := grant.PurposeWord(g.Purpose)
	if purpose == "" {
		purpose = g.Purpose
	}
	return GrantLine{
		ID: grantID(c), CID: c.String(), Dataset: string(g.Dataset), Paths: g.Paths, View: viewLine(g), Purpose: purpose,
		From: from, Until: g.Until,
	}
}

// viewLine is the view of a grant on records, nil for files.
func viewLine(g grant.Grant) *ViewLine {
	if !isOnRecords(g) {
		return nil
	}
	line := &ViewLine{Columns: g.Columns, Where: g.Rows}
	if g.From != nil {
		line.From = time.Unix(*g.From, 0).UTC()
	}
	if g.To != nil {
		line.Before = time.Unix(*g.To, 0).UTC()
	}
	if g.Period != 0 {
		line.By = view.Period(g.Period).String()
	}
	if g.Grid != 0 {
		line.Grid = view.Grid(g.Grid).String()
	}
	return line
}

func (n *Node) datasetName(did crypto.DID) string {
	if d, err := n.vault.Lookup(string(did)); err == nil {
		return d.Name
	}
	return did.Short()
}
