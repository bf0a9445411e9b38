// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage/vault"
)

const (
	defaultGrantLife = 30 * 24 * time.Hour
	// renewAfter is the age at which the node renews its own link, long before
	// grant.NodeLinkLife ends it.
	renewAfter = 60 * 24 * time.Hour
)

func newNonce() []byte {
	nonce := make([]byte, 12)
	rand.Read(nonce) // never fails (crypto/rand)
	return nonce
}

// birth signs the two links above every grant on a data set that is being
// born; it is all that the data set's own key ever signs.
func (n *Node) birth(dataset crypto.Signer) ([]vault.Fact, error) {
	owner, node := n.keys.Owner(), n.keys.Node()
	born, err := grant.Birth(dataset, owner.DID(), newNonce())
	if err != nil {
		return nil, err
	}
	appointed, err := grant.AppointNode(owner, dataset.DID(), node.DID(), n.now(), newNonce())
	if err != nil {
		return nil, err
	}
	f := fact(factUpperLinks, crypto.DatasetScope(dataset.DID()), upperLinks{Birth: born.Bytes(), Node: appointed.Bytes()})
	return []vault.Fact{f}, nil
}

// renew signs the node's own link anew where it has aged, or has not begun: it
// was signed while the clock stood ahead.
func (n *Node) renew(ctx context.Context, dataset crypto.DID) (grant.Chain, error) {
	chain := n.book.chainOf(dataset)
	if len(chain) < 2 {
		return nil, problem.New(problem.Damaged, "dataset.no-links", "dataset", string(dataset))
	}
	age := n.now().Sub(time.Unix(*chain[grant.LinkNode].NotBefore, 0))
	if n.gate.Behind() > 0 || age >= 0 && age < renewAfter {
		return chain, nil
	}
	appointed, err := grant.AppointNode(n.keys.Owner(), dataset, n.keys.Node().DID(), n.now(), newNonce())
	if err != nil {
		return nil, err
	}
	f := fact(factUpperLinks, crypto.DatasetScope(dataset), upperLinks{Birth: chain[grant.LinkBirth].Bytes(), Node: appointed.Bytes()})
	if err := n.record(ctx, f); err != nil {
		return nil, err
	}
	return n.book.chainOf(dataset), nil
}

func (n *Node) grant(ctx context.Context, q GrantRequest, _ func(Progress)) (GrantResult, error) {
	d, to, err := n.parties(q)
	if err != nil {
		return GrantResult{}, err
	}
	if q.Preview {
		p, err := n.previewGrant(ctx, q, d)
		return GrantResult{Preview: p}, err
	}
	if reason := n.vault.Suspended(); reason != "" {
		return GrantResult{}, problem.New(problem.Unconfirmed, "grants.suspended", "reason", string(reason))
	}
	chain, err := n.renew(ctx, d.DID)
	if err != nil {
		return GrantResult{}, err
	}
	wanted, err := n.wanted(q, d, to)
	if err != nil {
		return GrantResult{}, err
	}
	wanted, operations, err := n.onRecords(ctx, q, d, wanted)
	if err != nil {
		return GrantResult{}, err
	}
	if err := n.checkPaths(ctx, d, q.Paths); err != nil {
		return GrantResult{}, err
	}
	leaf, err := grant.Issue(n.keys.Node(), wanted, newNonce())
	if err != nil {
		return GrantResult{}, problem.New(problem.Usage, "grant.unsayable", "why", err.Error()).Because(err)
	}
	if err := n.give(ctx, to, leaf, operations); err != nil {
		return GrantResult{}, err
	}
	return n.offerNow(ctx, leaf.CID(), append(chain[:2:2], leaf))
}

// give makes a grant durable, unless its contact went meanwhile.
func (n *Node) give(ctx context.Context, to known, leaf *ucan.Delegation, operations int) error {
	n.changes.Lock()
	defer n.changes.Unlock()
	if _, still := n.book.contactOf(to.Owner); !still {
		return problem.New(problem.NotFound, "contact.none", "name", to.Name)
	}
	return n.record(ctx, fact(factGiven, crypto.DatasetScope(leaf.Subject), givenFact{
		Dataset: leaf.Subject, Leaf: leaf.Bytes(), Audience: to.Owner, Operations: operations,
	}))
}

// checkPaths refuses paths under which the data set holds nothing, which are
// slips of the keyboard more often than plans, and a folder that is named as a
// file is.
func (n *Node) checkPaths(ctx context.Context, d vault.Dataset, paths []string) error {
	for _, path := range paths {
		head, err := n.vault.ViewHead(ctx, d.DID, vault.View{Paths: []string{path}})
		if err != nil {
			return about(err, "name", d.Name, "path", path)
		}
		if head.Counts.Files+head.Counts.Folders == 0 {
			return problem.New(problem.NotFound, "no-such-path", "name", d.Name, "path", path)
		}
		if head.Counts.Files == 0 && !strings.HasSuffix(path, "/") { // its name alone, nothing in it
			return problem.New(problem.Usage, "grant.folder-path", "path", path)
		}
	}
	return nil
}

// parties finds who grants what to whom.
func (n *Node) parties(q GrantRequest) (vault.Dataset, known, error) {
	d, err := n.ours(q.Name)
	if err != nil {
		return d, known{}, err
	}
	to, ok := n.book.contactNamed(q.To)
	if !ok {
		return d, to, problem.New(problem.NotFound, "contact.none", "name", q.To)
	}
	if !to.Confirmed {
		return d, to, problem.New(problem.Unconfirmed, "contact.unconfirmed", "name", to.Name)
	}
	if n.now().Unix() > to.card.Expires {
		return d, to, problem.New(problem.Invalid, "contact.expired", "name", to.Name)
	}
	return d, to, nil
}

// wanted is the grant that a request asks for.
func (n *Node) wanted(q GrantRequest, d vault.Dataset, to known) (grant.Grant, error) {
	word, life := q.Purpose, q.For
	if word == "" {
		word = "service"
	}
	if life == 0 {
		life = defaultGrantLife
	}
	purpose, err := grant.PurposeIRI(word)
	if err != nil {
		return grant.Grant{}, problem.New(problem.Usage, "grant.bad-purpose", "purpose", word).Because(err)
	}
	if life < time.Minute {
		return grant.Grant{}, problem.New(problem.Usage, "grant.too-short")
	}
	for _, path := range q.Paths {
		if _, err := grant.CanonicalPath(path); err != nil {
			return grant.Grant{}, problem.New(problem.Usage, "grant.bad-path", "path", path).Because(err)
		}
	}
	return grant.Grant{
		Dataset: d.DID, Audience: to.Owner, Paths: q.Paths, Purpose: purpose, Until: n.now().Add(life),
	}, nil
}

// offerNow hands a grant to its audience if that can be done at once, and
// spells it as a link in any case.
func (n *Node) offerNow(ctx context.Context, leaf cid.Cid, chain grant.Chain) (GrantResult, error) {
	offered := n.offerOf(chain)
	text, err := offer.EncodeLink(offered)
	if err != nil {
		return GrantResult{}, err
	}
	g, _ := n.book.givenBy(leaf)
	r := GrantResult{Link: text}
	if l, err := n.online(); err == nil {
		deliver, cancel := context.WithTimeout(ctx, pushPatience)
		defer cancel()
		r.Delivered = l.pushGrant(deliver, g) == nil
		g, _ = n.book.givenBy(leaf)
	}
	r.Grant = n.givenLine(g)
	n.tellZone(ctx, r.Grant)
	return r, nil
}

func (n *Node) grantsConfirm(ctx context.Context, _ None, _ func(Progress)) (GrantsConfirmResult, error) {
	if n.vault.Suspended() == "" {
		return GrantsConfirmResult{}, nil
	}
	if err := n.vault.Confirm(ctx); err != nil {
		return GrantsConfirmResult{}, err
	}
	if err := n.record(ctx, fact(factConfirmed, crypto.NodeScope, struct{}{})); err != nil {
		return GrantsConfirmResult{}, err
	}
	r := GrantsConfirmResult{}
	for _, g := range n.book.givenOn("") {
		if !g.ended(n.now()) {
			r.Confirmed++
		}
	}
	return r, nil
}

// revoke ends a grant of ours. When it returns, no further byte is written
// under it.
func (n *Node) revoke(ctx context.Context, q NameRequest, _ func(Progress)) (RevokeResult, error) {
	g, err := n.givenNamed(q.Name)
	if err != nil {
		return RevokeResult{}, err
	}
	if g.revoked {
		return RevokeResult{}, problem.New(problem.Usage, "grant.revoked-already", "grant", g.id())
	}
	r := RevokeResult{}
	if r.Stopped, err = n.end(ctx, g); err != nil {
		return RevokeResult{}, err
	}
	if l, err := n.online(); err == nil {
		tell, cancel := context.WithTimeout(ctx, pushPatience)
		defer cancel()
		g, _ = n.book.givenBy(g.cid)
		r.Notified = l.pushRevocation(tell, g) == nil
	}
	g, _ = n.book.givenBy(g.cid)
	r.Grant = n.givenLine(g)
	r.Notices = n.whatRevokingDid(g, r)
	return r, nil
}

// end makes a revocation durable, stops the transfers under the grant, and
// raises the data set's generation. It says how many transfers it stopped.
func (n *Node) end(ctx context.Context, g given) (stopped int, err error) {
	ctx = context.WithoutCancel(ctx) // half a revocation is none
	n.changes.Lock()
	defer n.changes.Unlock()
	if now, ok := n.book.givenBy(g.cid); ok {
		g = now // somebody may have been quicker
	}
	if !g.revoked {
		record, err := ucan.Revoke(n.keys.Node(), g.cid, nil, newNonce())
		if err != nil {
			return 0, err
		}
		over := vault.Fact{Kind: factRevocation, Public: record.Bytes()}
		if err := n.withRoom(func() error { return n.record(ctx, over) }); err != nil {
			return 0, err
		}
	}
	stopped = n.passages.end(g.cid)
	if g.raised {
		return stopped, nil
	}
	return stopped, n.withRoom(func() error { return n.raise(ctx, g) })
}

// raise sees to it that what is added from now on has keys which the grantee
// of a revoked grant never had.
func (n *Node) raise(ctx context.Context, g given) error {
	if _, err := n.vault.BumpGeneration(ctx, g.Dataset); err != nil {
		return err
	}
	raised := vault.Fact{Kind: factRaised, Scope: crypto.DatasetScope(g.Dataset), Body: g.cid.Bytes()}
	if err := n.record(ctx, raised); err != nil {
		return err
	}
	return n.vault.SaveMark()
}

// finishRevocations raises what a crash or a full disk kept a revocation from
// raising.
func (n *Node) finishRevocations(ctx context.Context) error {
	n.changes.Lock()
	defer n.changes.Unlock()
	var failed error
	for _, g := range n.book.givenOn("") {
		if g.revoked && !g.raised {
			failed = errors.Join(failed, n.raise(ctx, g))
		}
	}
	return failed
}

// raised sees to it that no revocation on a data set is half done: what were
// added now would have keys that a former grantee has.
func (n *Node) raised(ctx context.Context, dataset crypto.DID) error {
	half := func(g given) bool { return g.revoked && !g.raised }
	if !slices.ContainsFunc(n.book.givenOn(dataset), half) {
		return nil
	}
	err := n.finishRevocations(ctx)
	if err == nil || !slices.ContainsFunc(n.book.givenOn(dataset), half) {
		return nil // what failed was another's
	}
	return fmt.Errorf("finish a revocation first: %w", err)
}

// whatRevokingDid is the sentences that are true of this revocation, and no
// others.
func (n *Node) whatRevokingDid(g given, r RevokeResult) []Notice {
	who := n.book.nameOf(g.Audience)
	list := []Notice{{Key: "revoked.from-now-on", Args: map[string]string{"contact": who}}}
	if r.Stopped > 0 {
		list = append(list, Notice{Key: "revoked.stopped", Args: map[string]string{"n": strconv.Itoa(r.Stopped)}})
	}
	if g.deliveries == 0 {
		list = append(list, Notice{Key: "revoked.nothing-delivered", Args: map[string]string{"contact": who}})
	} else if isOnRecords(g.grant) {
		list = append(list, Notice{Key: "revoked.delivered-rows", Args: map[string]string{
			"contact": who, "n": strconv.Itoa(g.deliveries), "rows": strconv.FormatUint(g.most.Rows, 10), "time": moment(g.lastTime),
		}})
	} else {
		list = append(list, Notice{Key: "revoked.delivered", Args: map[string]string{
			"contact": who, "files": strconv.FormatUint(g.most.Files, 10), "bytes": strconv.FormatUint(g.most.Bytes, 10),
			"time": moment(g.lastTime),
		}})
	}
	if r.Notified {
		return append(list, Notice{Key: "revoked.told", Args: map[string]string{"contact": who}})
	}
	return append(list, Notice{Key: "revoked.not-told", Args: map[string]string{"contact": who}})
}

// givenNamed finds a grant of ours by its short name or CID.
func (n *Node) givenNamed(name string) (given, error) {
	for _, g := range n.book.givenOn("") {
		if g.id() == name || g.cid.String() == name {
			return g, nil
		}
	}
	for _, r := range n.book.receivedList() {
		if r.id() == name {
			return given{}, problem.New(problem.Usage, "grant.not-ours", "grant", name, "contact", n.book.nameOf(r.giver()))
		}
	}
	return given{}, problem.New(problem.NotFound, "grant.none", "grant", name)
}

// isOver says whether a grant of ours has ended, or went with its data set.
func (n *Node) isOver(leaf cid.Cid) bool {
	g, known := n.book.givenBy(leaf)
	return !known || g.ended(n.now())
}

// receivedNamed finds a grant given to us, by its short name, its CID, or the
// name of its data set. Of several that are live the newest is taken; if none
// is, the newest too: its giver says why it is over. A data set that is here goes
// by its name before any that others only offer under it; of these, those of the
// same name cannot be told apart.
func (n *Node) receivedNamed(name string) (received, error) {
	var found, over []received
	for _, r := range n.book.receivedList() {
		if r.id() == name || r.cid.String() == name {
			return r, nil
		}
		line := n.receivedLine(r)
		switch {
		case !strings.EqualFold(line.Name, name):
		case line.State == "live":
			found = append(found, r)
		default:
			over = append(over, r)
		}
	}
	if len(found) == 0 && len(over) > 0 {
		found = over[len(over)-1:]
	}
	if len(found) == 0 {
		return received{}, problem.New(problem.NotFound, "grant.none", "grant", name)
	}
	isHere := func(r received) bool { _, err := n.vault.Lookup(string(r.Dataset)); return err == nil }
	if slices.ContainsFunc(found, isHere) {
		found = slices.DeleteFunc(found, func(r received) bool { return !isHere(r) })
	}
	newest := found[len(found)-1]
	for _, r := range found {
		if r.Dataset != newest.Dataset {
			return received{}, problem.New(problem.Usage, "grant.ambiguous", "name", name, "one", r.id(), "other", newest.id())
		}
	}
	return newest, nil
}
