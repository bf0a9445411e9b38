// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/envelope"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/vault"
)

const dialPatience = 20 * time.Second

// fetch brings the newest version that a grant gives into this vault, from
// where an earlier try stopped.
func (n *Node) fetch(ctx context.Context, q FetchRequest, progress func(Progress)) (FetchResult, error) {
	l, err := n.online()
	if err != nil {
		return FetchResult{}, err
	}
	r, err := n.grantToFetch(ctx, q.Grant)
	if err != nil {
		return FetchResult{}, err
	}
	defer n.vault.Landing()()
	f := &fetching{node: n, link: l, grant: r, limit: q.LimitRate, progress: progress, landing: landing{store: n.vault.Blocks()}}
	if err := f.persist(ctx); err != nil {
		return FetchResult{}, f.explain(err)
	}
	return f.result, nil
}

// grantToFetch finds the grant that is named, or takes in the one that a link
// carries.
func (n *Node) grantToFetch(ctx context.Context, name string) (received, error) {
	if !strings.HasPrefix(name, offer.LinkPrefix) {
		return n.receivedNamed(name)
	}
	offered, err := offer.ParseLink(name)
	if err != nil {
		return received{}, problem.New(problem.Invalid, "link.altered").Because(err)
	}
	return n.accept(ctx, offered)
}

// fetching is one fetch under way.
type fetching struct {
	node     *Node
	link     *link
	grant    received
	limit    int64
	progress func(Progress)

	session *transfer.Session
	head    storage.Head
	opened  []byte                        // the signed head
	held    map[crypto.BlockName]struct{} // the blocks of the version that is here
	total   int64
	result  FetchResult
	landing landing

	manifest, mostManifest int // bytes of pages, and how many there may be; 0: maxManifest
}

// persist runs until all is here or there is nothing more to try. A stream
// that was cut is taken up again: at once the first two times, which also tells
// why if the giver cut it (first the stream and then, maybe under the next one,
// its connection), and as long as each try brings something.
func (f *fetching) persist(ctx context.Context) error {
	started := time.Now()
	defer func() { f.result.Millis = time.Since(started).Milliseconds() }()
	var cutShort error
	refreshed, doubted, cuts := false, false, 0
	for before := uint64(0); ; before = f.result.Blocks {
		err := f.run(ctx)
		var refusal *protocol.Refusal
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case errors.As(err, &refusal) && refusal.Code == protocol.Refresh && !refreshed:
			refreshed = true
			if f.grant, err = f.link.refreshChain(ctx, f.grant); err != nil {
				return err
			}
		case errors.Is(err, transfer.ErrWrongBlock) && !doubted:
			doubted = true // the giver, if honest, now looks at what it sends
		case isCut(err) && (cuts < 2 || f.result.Blocks > before):
			if cutShort, cuts = err, cuts+1; errors.Is(err, transfer.ErrSlow) {
				cuts++ // it is not the giver who cut it
			}
		case cutShort != nil && (isCut(err) || errors.Is(err, p2p.ErrNobodyAnswers) || errors.Is(err, context.DeadlineExceeded)):
			return cutShort // and nobody answers any more
		default:
			return err
		}
	}
}

// isCut says whether a stream ended before its time, which the next may not.
func isCut(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, p2p.ErrReset) || errors.Is(err, transfer.ErrSlow)
}

func (f *fetching) run(ctx context.Context) error {
	f.progress(Progress{Step: "connect"})
	stream, err := f.link.dial(ctx, f.grant.Node, f.grant.addresses(f.node), transfer.ProtocolID)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := f.ask(ctx, stream); err != nil {
		return err
	}
	defer f.session.Close()
	if f.isCurrent(ctx) {
		f.result.Unchanged = true
		return f.session.Done(ctx)
	}
	if err := f.receive(ctx); err != nil {
		// What came is kept for the next try.
		return errors.Join(err, f.landing.settle())
	}
	return f.session.Done(ctx)
}

// ask presents the grant and opens the head that comes back.
func (f *fetching) ask(ctx context.Context, stream protocol.Stream) error {
	n, chain := f.node, f.grant.chain
	args := grant.ReadArgs{
		Columns: []string{}, Rows: []string{}, Paths: f.grant.grant.Paths,
		Purpose: f.grant.grant.Purpose, HPKE: n.keys.Receive().Public(),
	}
	if isOnRecords(f.grant.grant) {
		args = askView(args, grantedView(f.grant.grant)) // the whole of what it allows
	} else if len(args.Paths) == 0 {
		args.Paths = []string{""}
	}
	if f.grant.grant.Uses > 0 {
		args.Seq = int64(min(uint64(f.grant.count)+1, f.grant.grant.Uses))
	}
	invocation, err := grant.Ask(n.keys.Node(), chain, f.grant.Node, grant.CommandRead, args.ToMap(), n.now(), newNonce())
	if err != nil {
		return err
	}
	f.session, err = transfer.Open(ctx, stream, transfer.Request{
		Invocation: invocation.Bytes(), Proofs: chain.Tokens(),
	}, transfer.ClientOptions{Rate: f.limiter(), Now: n.opt.Now})
	if err != nil {
		return err
	}
	if err := f.openHead(f.session.Head()); err != nil {
		return err
	}
	return f.consistent(ctx)
}

// limiter bounds what is taken from the stream, if the owner asked for it.
func (f *fetching) limiter() *rate.Limiter {
	if f.limit <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(f.limit), int(max(f.limit/10, 16<<10)))
}

// openHead opens a sealed head and believes it only if it says what the grant
// and the chain say.
func (f *fetching) openHead(sealed []byte) error {
	n, server := f.node, f.grant.chain[grant.LinkNode].Audience
	e, err := envelope.Parse(sealed)
	if err != nil {
		return misbehaved(err)
	}
	if err := e.For(f.grant.Dataset, f.grant.cid, n.keys.Node().DID()); err != nil {
		return misbehaved(err)
	}
	if f.opened, err = e.Open(n.keys.Receive()); err != nil {
		return misbehaved(err)
	}
	head, signer, err := storage.ParseHead(f.opened)
	if err != nil {
		return misbehaved(err)
	}
	if signer != server || e.Signer != server || head.Dataset != e.Dataset ||
		head.Sequence != e.Sequence || head.Generation != e.Generation {
		return misbehaved(errors.New("the head is not the one its envelope names"))
	}
	if asked, err := f.asked(); err != nil || head.View != asked {
		return misbehaved(errNotAsked)
	}
	f.head = head
	f.total = int64(head.Counts.Bytes)
	f.result = FetchResult{
		Name: f.grant.Name, Dataset: string(head.Dataset), From: n.book.nameOf(f.grant.giver()),
		Version: versionNumber(head.Sequence), Files: head.Counts.Files, Bytes: head.Counts.Bytes,
		Records: isOnRecords(f.grant.grant), Blocks: f.result.Blocks, NewBytes: f.result.NewBytes,
	}
	return nil
}

func misbehaved(err error) error {
	return problem.New(problem.Misbehaviour, "fetch.misbehaved").Because(err)
}

// isCurrent says whether the version on offer is here already, whole.
func (f *fetching) isCurrent(ctx context.Context) bool {
	d, err := f.node.vault.Lookup(string(f.head.Dataset))
	if err != nil {
		return false
	}
	f.result.Name = d.Name
	here := slices.ContainsFunc(d.Versions, func(have storage.Head) bool {
		return have.Sequence == f.head.Sequence && have.View == f.head.View && have.Root == f.head.Root
	})
	return here && (!f.node.vault.Blocks().Damaged() || f.node.vault.Holds(ctx, f.head))
}

// receive brings the pages level by level, then the blocks, then makes the
// version one of ours.
func (f *fetching) receive(ctx context.Context) error {
	f.held, f.manifest = f.heldBlocks(ctx), 0
	tracker := storage.NewTracker(f.head)
	if err := f.description(ctx); err != nil {
		return err
	}
	for !tracker.Done() {
		if err := f.pages(ctx, tracker); err != nil {
			return err
		}
	}
	if err := f.blocks(ctx, tracker.Refs()); err != nil {
		return err
	}
	if err := f.landing.settle(); err != nil {
		return err
	}
	if err := f.checkRecords(ctx); err != nil {
		return err
	}
	name, err := f.store(ctx)
	if err != nil {
		return err
	}
	f.result.Name = name
	return f.node.record(ctx, fact(factFetched, crypto.ReceivedScope(f.head.Dataset), fetched{
		Dataset: f.head.Dataset, Grant: f.grant.cid.Bytes(), Version: f.head.Sequence,
		Files: f.head.Counts.Files, Bytes: f.head.Counts.Bytes, Rows: f.result.Rows, New: f.result.NewBytes,
	}))
}

func (f *fetching) description(ctx context.Context) error {
	if f.head.Description.IsZero() && !isOnRecords(f.grant.grant) {
		return nil
	}
	if err := f.blocks(ctx, []storage.Ref{f.head.Description}); err != nil {
		return err
	}
	return f.checkKind()
}

// checkKind refuses a data set of a kind that only later versions know.
func (f *fetching) checkKind() error {
	sealed, err := f.node.vault.Blocks().Get(f.head.Description.Name, nil)
	if err != nil {
		return err
	}
	text, err := crypto.OpenBlock(nil, f.head.Dataset, f.head.Description.Key, sealed)
	if err != nil {
		return misbehaved(err)
	}
	d, err := storage.ParseDescription(text)
	if err != nil {
		return misbehaved(err)
	}
	if d.Kind != storage.KindFiles && d.Kind != storage.KindRecords {
		return problem.New(problem.Invalid, "fetch.unknown-kind", "kind", d.Kind, "name", f.grant.Name)
	}
	if (d.Kind == storage.KindRecords) != isOnRecords(f.grant.grant) {
		return misbehaved(errNotAsked)
	}
	return nil
}

const (
	pagesAtOnce = 1024
	// maxManifest bounds the pages of one version, which are in memory until the
	// blocks are known: some million files.
	maxManifest = 128 << 20 // bytes
)

// pages gives the tracker its next pages: from the vault where they are here
// already, from the other node where not.
func (f *fetching) pages(ctx context.Context, tracker *storage.Tracker) error {
	var missing []crypto.BlockName
	for _, name := range tracker.Wants(pagesAtOnce) {
		// A page that is here and does not open is somebody else's.
		page, err := f.node.vault.Blocks().Get(name, nil)
		if err != nil || tracker.Add(name, page) != nil {
			missing = append(missing, name)
			continue
		}
		f.manifest += len(page)
	}
	return f.session.Fetch(ctx, slices.Values(missing), func(name crypto.BlockName, ciphertext []byte) error {
		if f.manifest += len(ciphertext); f.manifest > cmp.Or(f.mostManifest, maxManifest) {
			return problem.New(problem.Invalid, "fetch.too-large", "contact", f.node.book.nameOf(f.grant.giver()), "name", f.grant.Name)
		}
		if err := tracker.Add(name, ciphertext); err != nil {
			return misbehaved(err)
		}
		return f.keep(ctx, name, ciphertext)
	})
}

// blocks brings the data blocks that are not here yet.
func (f *fetching) blocks(ctx context.Context, refs []storage.Ref) error {
	var missing []crypto.BlockName
	for _, ref := range refs {
		if f.isHere(ref) {
			size, _ := f.node.vault.Blocks().Size(ref.Name)
			f.result.HadBlocks++
			f.total -= int64(size)
			continue
		}
		missing = append(missing, ref.Name)
	}
	f.total = max(f.total, 0)
	return f.session.Fetch(ctx, slices.Values(missing), func(name crypto.BlockName, ciphertext []byte) error {
		return f.keep(ctx, name, ciphertext)
	})
}

// isHere says whether a block is here, and is one of the data set that is being
// fetched: one that the version before named, or that opens as this one says.
// Others are asked for like any that is missing, so that the giver does not
// learn what else we hold.
func (f *fetching) isHere(ref storage.Ref) bool {
	store := f.node.vault.Blocks()
	if _, held := f.held[ref.Name]; held || !store.Has(ref.Name) {
		return held && store.Has(ref.Name)
	}
	block, err := store.Get(ref.Name, nil)
	if err != nil {
		return false
	}
	_, err = crypto.OpenBlock(nil, f.head.Dataset, ref.Key, block)
	return err == nil
}

// heldBlocks names the blocks of the version that is here, if there is one.
func (f *fetching) heldBlocks(ctx context.Context) map[crypto.BlockName]struct{} {
	versions, err := f.node.vault.Versions(f.head.Dataset)
	if err != nil || len(versions) == 0 {
		return nil
	}
	held, err := f.node.vault.ViewBlocks(ctx, versions[len(versions)-1])
	if err != nil {
		return nil // each block is then looked at
	}
	return held
}

// keep stores a block as it came.
func (f *fetching) keep(ctx context.Context, name crypto.BlockName, ciphertext []byte) error {
	if err := f.landing.keep(ctx, name, ciphertext); err != nil {
		return err
	}
	f.result.Blocks++
	f.result.NewBytes += uint64(len(ciphertext))
	f.progress(Progress{Step: "blocks", Done: int64(f.result.NewBytes), Total: f.total})
	return nil
}

// store makes the version that came one of the data sets here, under a name
// that is free, unless the data set was removed meanwhile.
func (f *fetching) store(ctx context.Context) (string, error) {
	v, gone := f.node.vault, problem.New(problem.NotFound, "grant.none", "grant", f.grant.id())
	if _, still := f.node.book.receivedBy(f.grant.cid); !still {
		return "", gone
	}
	name := f.grant.Name
	if d, err := v.Lookup(string(f.head.Dataset)); err == nil {
		name = d.Name
	}
	for try := 2; ; try++ {
		err := v.Receive(ctx, vault.ReceivedHead{
			Dataset: f.head.Dataset, Name: name, From: f.grant.giver(),
			Signer: f.grant.chain[grant.LinkNode].Audience, Head: f.opened, Expected: true,
		})
		if errors.Is(err, vault.ErrUnexpected) {
			return name, gone.Because(err) // between our look and the vault's
		}
		if !errors.Is(err, vault.ErrNameTaken) || try > 100 {
			return name, err
		}
		name = fmt.Sprintf("%s (%d)", f.grant.Name, try)
	}
}

// explain says why a fetch failed, in the words of this conversation.
func (f *fetching) explain(err error) error {
	giver := f.node.book.nameOf(f.grant.giver())
	var refusal *protocol.Refusal
	if errors.As(err, &refusal) {
		return refusedProblem(refusal, giver, f.grant.id(), f.node.now()).Because(err)
	}
	var known *problem.Problem
	switch {
	case errors.Is(err, transfer.ErrLied), errors.As(err, &known) && known.Key == "fetch.misbehaved":
		return problem.New(problem.Misbehaviour, "fetch.lied", "contact", giver, "name", f.grant.Name).Because(err)
	case errors.Is(err, transfer.ErrMissing):
		return problem.New(problem.Damaged, "fetch.missing", "contact", giver, "name", f.grant.Name).Because(err)
	case isCut(err):
		return problem.New(problem.Interrupted, "fetch.cut", "contact", giver).Because(err)
	}
	return about(err, "contact", giver, "name", f.grant.Name)
}

// refusedProblem is what a refusal means to a person.
func refusedProblem(r *protocol.Refusal, giver, grant string, now time.Time) *problem.Problem {
	args := []string{"contact", giver, "grant", grant}
	if r.Time != 0 {
		args = append(args, "time", moment(time.Unix(r.Time, 0)))
	}
	keys := map[protocol.Code]string{
		protocol.Denied: "refused.denied", protocol.Expired: "refused.expired", protocol.Revoked: "refused.revoked",
		protocol.NotYet: "refused.not-yet", protocol.Refresh: "refused.refresh", protocol.Limit: "refused.limit",
		protocol.Busy: "refused.busy", protocol.Suspended: "refused.suspended", protocol.Gone: "refused.gone",
		protocol.Outside: "refused.outside",
	}
	if r.Code == protocol.Clock {
		args = append(args, "here", moment(now))
		return problem.New(problem.WrongClock, "refused.clock", args...)
	}
	if key, ok := keys[r.Code]; ok {
		return problem.New(problem.Refused, key, args...)
	}
	return problem.New(problem.Refused, "refused.failed", args...)
}
