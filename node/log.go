// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// log tells the journal as a story: who got what, when, why. It is a reading
// of the journal, not a second book.
func (n *Node) log(ctx context.Context, q LogRequest, _ func(Progress)) (LogResult, error) {
	r := LogResult{Lines: []LogLine{}}
	teller := teller{node: n, contacts: map[crypto.DID]string{}}
	err := n.vault.Facts(func(rec vault.Recorded) error {
		line, ok, err := teller.tell(rec)
		if ok {
			r.Lines = append(r.Lines, line)
		}
		return err
	})
	if err == nil {
		kept := n.keptRecords()
		err = n.vault.Events(func(e vault.Event) error {
			line := eventLine(e)
			if versions, ok := kept[e.Head.Dataset]; ok && e.Kind == vault.VersionMade {
				n.tellRecords(ctx, &line, e.Head, versions)
			}
			r.Lines = append(r.Lines, line)
			return ctx.Err()
		})
	}
	if err != nil {
		return LogResult{}, err
	}
	slices.SortFunc(r.Lines, func(x, y LogLine) int { return cmp.Compare(x.Seq, y.Seq) })
	if q.Name != "" {
		r.Lines = slices.DeleteFunc(r.Lines, func(l LogLine) bool {
			return q.Name != l.Name && q.Name != l.Contact && q.Name != l.Grant
		})
		if len(r.Lines) == 0 && !n.knows(q.Name) {
			return LogResult{}, problem.New(problem.NotFound, "log.none", "name", q.Name)
		}
	}
	r.Lines = slices.DeleteFunc(r.Lines, func(l LogLine) bool { return l.Time.Before(q.Since) })
	return r, nil
}

// knows says whether a data set, a contact or a grant has this name.
func (n *Node) knows(name string) bool {
	if _, err := n.vault.Lookup(name); err == nil {
		return true
	}
	if _, ok := n.book.contactNamed(name); ok {
		return true
	}
	_, given := n.givenNamed(name)
	_, received := n.receivedNamed(name)
	return given == nil || received == nil
}

// eventLine tells what the vault itself remembers.
func eventLine(e vault.Event) LogLine {
	line := LogLine{Seq: e.Seq, Time: time.Unix(e.Time, 0)}
	switch e.Kind {
	case vault.VersionMade:
		line.Event, line.Name = "dataset.version", e.Name
		line.Args = amounts(e.Head.Sequence, e.Head.Counts.Files, e.Head.Counts.Bytes)
	case vault.DatasetRemoved:
		line.Event = "dataset.removed"
	case vault.GrantsSuspended:
		line.Event, line.Args = "grants.suspended", map[string]string{"why": string(e.Why)}
	}
	return line
}

// keptRecords are the versions that are kept of each data set of records.
func (n *Node) keptRecords() map[crypto.DID][]storage.Head {
	kept := map[crypto.DID][]storage.Head{}
	for _, d := range n.vault.Datasets() {
		if d.Kind == storage.KindRecords {
			kept[d.DID] = d.Versions
		}
	}
	return kept
}

// tellRecords says how many rows a version has, if it is still kept.
func (n *Node) tellRecords(ctx context.Context, line *LogLine, head storage.Head, kept []storage.Head) {
	line.Event = "dataset.records"
	if !slices.ContainsFunc(kept, func(k storage.Head) bool { return k.Root == head.Root }) {
		return
	}
	if set, err := record.Open(ctx, n.objectsOf(head)); err == nil { // check tells what cannot be read
		line.Event = "dataset.rows"
		line.Args["rows"] = strconv.Itoa(set.Len())
	}
}

func amounts(version, files, bytes uint64) map[string]string {
	return map[string]string{
		"version": strconv.FormatUint(versionNumber(version), 10),
		"files":   strconv.FormatUint(files, 10), "bytes": strconv.FormatUint(bytes, 10),
	}
}

// teller reads facts in order; the names of contacts are those they had.
type teller struct {
	node     *Node
	contacts map[crypto.DID]string
}

func (t *teller) name(owner crypto.DID) string {
	if name, ok := t.contacts[owner]; ok {
		return name
	}
	return t.node.book.nameOf(owner)
}

// tell makes a line of a fact, unless it is one that tells nothing.
func (t *teller) tell(rec vault.Recorded) (LogLine, bool, error) {
	line := LogLine{Seq: rec.Seq, Time: time.Unix(rec.Time, 0), Erased: rec.Erased}
	if rec.Erased {
		line.Event = "erased"
		return line, true, nil
	}
	var told bool
	var err error
	switch rec.Kind {
	case factContact:
		told, err = tellOf(&line, rec.Body, t.contact)
	case factContactGone:
		line.Event, line.Contact, told = "contact.removed", t.name(crypto.DID(rec.Body)), true
	case factGiven:
		told, err = tellOf(&line, rec.Body, t.given)
	case factAcknowledged:
		told, err = tellOf(&line, rec.Body, t.acknowledged)
	case factReceivedGrant:
		told, err = tellOf(&line, rec.Body, t.received)
	case factRevocation:
		told, err = t.revoked(&line, rec.Public)
	case factDelivered:
		told, err = tellOf(&line, rec.Body, t.delivered)
	case factFetched:
		told, err = tellOf(&line, rec.Body, t.fetched)
	case factEquivocation:
		told, err = tellOf(&line, rec.Body, t.equivocated)
	case factDenials:
		told, err = tellOf(&line, rec.Body, t.denied)
	case factDamaged:
		told, err = tellOf(&line, rec.Body, t.damaged)
	case factOwnKind:
		told, err = tellOf(&line, rec.Body, t.described)
	case factConfirmed:
		line.Event, told = "grants.confirmed", true
	}
	return line, told, err
}

// tellOf reads a fact's body for whoever tells it.
func tellOf[T any](line *LogLine, body []byte, tell func(*LogLine, T) (bool, error)) (bool, error) {
	var fact T
	if err := canonical.Unmarshal(body, &fact); err != nil {
		return false, err
	}
	return tell(line, fact)
}

func (t *teller) damaged(line *LogLine, f damaged) (bool, error) {
	line.Event, line.Args = "damaged", map[string]string{"kind": f.Kind, "count": strconv.FormatUint(f.Count, 10)}
	return true, nil
}

func (t *teller) described(line *LogLine, f ownKind) (bool, error) {
	line.Event, line.Name = "kind.added", f.Kind
	if len(f.Description) == 0 {
		line.Event = "kind.removed"
	}
	return true, nil
}

func (t *teller) contact(line *LogLine, f contactFact) (bool, error) {
	_, before := t.contacts[f.Owner]
	t.contacts[f.Owner] = f.Name
	line.Contact = f.Name
	switch {
	case !before && f.Confirmed:
		line.Event = "contact.added"
	case !before:
		line.Event = "contact.introduced"
	case f.Confirmed:
		line.Event = "contact.confirmed"
	default:
		return false, nil
	}
	return true, nil
}

func (t *teller) given(line *LogLine, f givenFact) (bool, error) {
	leaf, err := ucan.DecodeDelegation(f.Leaf)
	if err != nil {
		return false, err
	}
	g, err := grant.Parse(leaf)
	if err != nil {
		return false, err
	}
	shown := grantLine(leaf.CID(), g, line.Time)
	line.Event, line.Contact, line.Name, line.Grant = "grant.given", t.name(f.Audience), t.node.datasetName(f.Dataset), shown.ID
	line.Args = map[string]string{"purpose": shown.Purpose, "until": g.Until.UTC().Format(time.RFC3339)}
	return true, nil
}

func (t *teller) acknowledged(line *LogLine, f acknowledgement) (bool, error) {
	line.Event = "grant.acknowledged"
	if f.Revocation {
		line.Event = "revocation.acknowledged"
	}
	return true, t.about(line, f.Grant)
}

// about says which grant a line is about, with its data set and contact.
func (t *teller) about(line *LogLine, grantCID []byte) error {
	c, err := asCID(grantCID)
	if err != nil {
		return err
	}
	line.Grant = grantID(c)
	if g, ok := t.node.book.givenBy(c); ok {
		line.Contact, line.Name = t.name(g.Audience), t.node.datasetName(g.Dataset)
	} else if r, ok := t.node.book.receivedBy(c); ok {
		line.Contact, line.Name = t.name(r.giver()), t.node.receivedLine(r).Name
	}
	return nil
}

// onRecords says whether a grant is one on records, as far as that is known.
func (t *teller) onRecords(grantCID []byte) bool {
	c, err := asCID(grantCID)
	if err != nil {
		return false
	}
	if g, ok := t.node.book.givenBy(c); ok {
		return isOnRecords(g.grant)
	}
	r, ok := t.node.book.receivedBy(c)
	return ok && isOnRecords(r.grant)
}

func (t *teller) received(line *LogLine, f receivedGrant) (bool, error) {
	chain, err := grant.DecodeChain(f.Chain)
	if err != nil {
		return false, err
	}
	line.Event = "grant.received"
	return true, t.about(line, chain[grant.LinkGrant].CID().Bytes())
}

func (t *teller) revoked(line *LogLine, record []byte) (bool, error) {
	invocation, err := ucan.DecodeInvocation(record)
	if err != nil {
		return false, err
	}
	revocation, err := ucan.ParseRevocation(invocation)
	if err != nil {
		return false, err
	}
	line.Event = "grant.revoked"
	if revocation.Issuer != t.node.keys.Node().DID() {
		line.Event = "grant.revoked-by-giver"
	}
	if err := t.about(line, revocation.Target.Bytes()); err != nil {
		return false, err
	}
	if line.Name == "" { // what it was about is erased
		line.Event = "grant.revoked.erased"
	}
	return true, nil
}

func (t *teller) delivered(line *LogLine, f delivery) (bool, error) {
	line.Args = amounts(f.Version, f.Files, f.Bytes)
	records := f.Rows > 0 || t.onRecords(f.Grant)
	switch {
	case records && f.Repeated:
		line.Event = "delivered.again.rows"
	case records:
		line.Event = "delivered.rows"
	case f.Repeated:
		line.Event = "delivered.again"
	default:
		line.Event = "delivered"
	}
	if records {
		line.Args["rows"] = strconv.FormatUint(f.Rows, 10)
	}
	line.Args["purpose"] = f.Purpose
	if word := grant.PurposeWord(f.Purpose); word != "" {
		line.Args["purpose"] = word
	}
	return true, t.about(line, f.Grant)
}

func (t *teller) fetched(line *LogLine, f fetched) (bool, error) {
	line.Event, line.Args = "received", amounts(f.Version, f.Files, f.Bytes)
	if f.Rows > 0 || t.onRecords(f.Grant) {
		line.Event = "received.rows"
		line.Args["rows"] = strconv.FormatUint(f.Rows, 10)
	}
	return true, t.about(line, f.Grant)
}

func (t *teller) equivocated(line *LogLine, f equivocation) (bool, error) {
	line.Event, line.Args = "equivocated", amounts(f.Version, 0, 0)
	return true, t.about(line, f.Grant)
}

func (t *teller) denied(line *LogLine, f denials) (bool, error) {
	line.Event = "denied"
	line.Args = map[string]string{"reason": f.Reason, "count": strconv.FormatUint(f.Count, 10)}
	if f.Peer != "" {
		line.Contact = t.name(f.Peer)
	}
	return true, nil
}

// versionNumber is a version as people count it: the part of a sequence that
// goes up by one.
func versionNumber(sequence uint64) uint64 { return sequence & 0xffffffff }
