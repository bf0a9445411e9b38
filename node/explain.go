// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/contact"
	"github.com/traboule/traboule/protocol/envelope"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/car"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/journal"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// explanations say which sentence goes with which error of the packages below;
// the first that fits is told. A test holds them against all errors that those
// packages name.
var explanations = []struct {
	cause error
	kind  problem.Kind
	key   string
}{
	{context.Canceled, problem.Interrupted, "interrupted"},
	{context.DeadlineExceeded, problem.Unreachable, "peer.slow"},
	{disk.ErrReserve, problem.DiskFull, "disk.full"},
	{syscall.EIO, problem.Damaged, "disk.failing"},
	{journal.ErrBroken, problem.Damaged, "disk.failed"},
	{blocks.ErrBroken, problem.Damaged, "disk.failed"},
	{vault.ErrNoVault, problem.NoVault, "vault.none"},
	{vault.ErrUnfinished, problem.NoVault, "vault.unfinished"},
	{vault.ErrExists, problem.Exists, "vault.exists"},
	{vault.ErrVaultBusy, problem.Busy, "vault.busy"},
	{disk.ErrLocked, problem.Busy, "vault.busy"},
	{vault.ErrLater, problem.Unexpected, "vault.later"},
	{record.ErrVersion, problem.Unexpected, "vault.later"},
	{crypto.ErrBlockSuite, problem.Unexpected, "vault.later"},
	{journal.ErrDamaged, problem.Damaged, "vault.journal"},
	{fs.ErrPermission, problem.Unexpected, "file.permission"},
	{vault.ErrKeyring, problem.Damaged, "vault.keyring"},
	{crypto.ErrWrongSecret, problem.WrongSecret, "secret.wrong"},
	{crypto.ErrNoSlot, problem.WrongSecret, "secret.wrong"},
	{crypto.ErrBadWords, problem.WrongSecret, "words.bad"},
	{crypto.ErrNoKit, problem.Exists, "kit.not-ours"},
	{crypto.ErrNewerKit, problem.Exists, "kit.newer"},
	{crypto.ErrBadSecret, problem.Usage, "secret.unsuitable"},
	{vault.ErrNoDataset, problem.NotFound, "dataset.none"},
	{vault.ErrAmbiguous, problem.Usage, "dataset.ambiguous"},
	{vault.ErrNoVersion, problem.NotFound, "dataset.no-version"},
	{vault.ErrNameTaken, problem.Exists, "dataset.name-taken"},
	{vault.ErrOtherSource, problem.Exists, "dataset.other-source"},
	{vault.ErrOtherKind, problem.Exists, "dataset.other-kind"},
	{vault.ErrChanging, problem.Changed, "dataset.changing"},
	{vault.ErrNotOurs, problem.Usage, "dataset.not-ours"},
	{vault.ErrBadSource, problem.Usage, "file.special"},
	{vault.ErrUnderWay, problem.Busy, "compact.busy"},
	{vault.ErrUnclear, problem.Damaged, "compact.unclear"},
	{vault.ErrMissing, problem.Damaged, "dataset.missing"},
	{blocks.ErrNotFound, problem.Damaged, "dataset.missing"},
	{crypto.ErrErased, problem.NotFound, "erased"},
	{vault.ErrOldHead, problem.Misbehaviour, "fetch.old-head"},
	{vault.ErrFileExists, problem.Exists, "file.exists"},
	{vault.ErrNoPath, problem.NotFound, "no-such-path"},
	{car.ErrBad, problem.Invalid, "car.bad"},
	{car.ErrChanged, problem.Invalid, "car.bad"},
	{car.ErrNotFound, problem.NotFound, "car.nothing-ours"},
	{car.ErrOtherBlock, problem.Damaged, "vault.damaged"},
	{storage.ErrBadName, problem.Usage, "dataset.bad-name"},
	{storage.ErrTooLarge, problem.Usage, "dataset.too-large"},
	{journal.ErrTooLarge, problem.Usage, "too-large"},
	{storage.ErrBadPrefix, problem.Usage, "grant.bad-path"},
	{p2p.ErrSomebodyElse, problem.Unreachable, "peer.somebody-else"},
	{p2p.ErrNotSpoken, problem.Unreachable, "peer.not-spoken"},
	{p2p.ErrNobodyAnswers, problem.Unreachable, "peer.nobody"},
	{p2p.ErrBusy, problem.Refused, "refused.busy"},
	{p2p.ErrReset, problem.Unreachable, "peer.cut"},
	{contact.ErrSlow, problem.Unreachable, "peer.slow"},
	{offer.ErrSlow, problem.Unreachable, "peer.slow"},
	{transfer.ErrSlow, problem.Unreachable, "peer.slow"},
	{p2p.ErrClosed, problem.Interrupted, "node.stopping"},
	{journal.ErrClosed, problem.Interrupted, "node.stopping"},
	{blocks.ErrClosed, problem.Interrupted, "node.stopping"},
	{contact.ErrBadLink, problem.Invalid, "link.altered"},
	{protocol.ErrBadText, problem.Invalid, "link.altered"},
	{contact.ErrBadCard, problem.Misbehaviour, "contact.bad-card"},
	{contact.ErrLied, problem.Misbehaviour, "contact.bad-card"},
	{protocol.ErrBadName, problem.Usage, "contact.bad-name"},
	{transfer.ErrLied, problem.Misbehaviour, "fetch.misbehaved"},
	{offer.ErrMalformed, problem.Misbehaviour, "fetch.misbehaved"},
	{protocol.ErrFrameTooLarge, problem.Misbehaviour, "fetch.misbehaved"},
	{protocol.ErrBadFrame, problem.Misbehaviour, "fetch.misbehaved"},
	{envelope.ErrMalformed, problem.Misbehaviour, "fetch.misbehaved"},
	{envelope.ErrSuite, problem.Misbehaviour, "fetch.misbehaved"},
	{envelope.ErrOther, problem.Misbehaviour, "fetch.misbehaved"},
	{envelope.ErrSealed, problem.Misbehaviour, "fetch.misbehaved"},
	{vault.ErrBadReceived, problem.Misbehaviour, "fetch.misbehaved"},
	{blocks.ErrWrongName, problem.Misbehaviour, "fetch.misbehaved"},
	{fs.ErrNotExist, problem.NotFound, "file.none"},
	{fs.ErrExist, problem.Exists, "file.exists"},
	// What is left was written by this program, and reads otherwise now.
	{crypto.ErrDamaged, problem.Damaged, "vault.damaged"},
	{crypto.ErrBadArgon, problem.Damaged, "vault.damaged"},
	{crypto.ErrBlockSize, problem.Damaged, "vault.damaged"},
	{crypto.ErrBlockTag, problem.Damaged, "vault.damaged"},
	{crypto.ErrBlockPadding, problem.Damaged, "vault.damaged"},
	{crypto.ErrNotForUs, problem.Damaged, "vault.damaged"},
	{crypto.ErrBadSignature, problem.Damaged, "vault.damaged"},
	{canonical.ErrNotCanonical, problem.Damaged, "vault.damaged"},
	{storage.ErrBadHead, problem.Damaged, "vault.damaged"},
	{storage.ErrBadPage, problem.Damaged, "vault.damaged"},
	{storage.ErrBadEntry, problem.Damaged, "vault.damaged"},
	{storage.ErrCounts, problem.Damaged, "vault.damaged"},
	{record.ErrTooMuch, problem.Usage, "records.too-much"},
	{record.ErrBadSchema, problem.Damaged, "vault.damaged"},
	{record.ErrBadLog, problem.Damaged, "vault.damaged"},
	{record.ErrBadSegment, problem.Damaged, "vault.damaged"},
}

// about tells what err was about: pairs of name and value for the sentence.
func about(err error, args ...string) error {
	if err == nil {
		return nil
	}
	var known *problem.Problem
	if errors.As(err, &known) {
		return err
	}
	var seen *view.Error
	if errors.As(err, &seen) {
		return viewProblem(seen).Because(err)
	}
	args = withPath(err, args)
	if disk.IsFull(err) {
		return problem.New(problem.DiskFull, "disk.full", args...).Because(err)
	}
	var refusal *protocol.Refusal
	if errors.As(err, &refusal) {
		return refusedProblem(refusal, argument(args, "contact"), argument(args, "grant"), time.Now()).Because(err)
	}
	var file *vault.DamagedError
	if errors.As(err, &file) && file.Path != "" {
		return problem.New(problem.Damaged, "file.damaged", append(args, "file", file.Path)...).Because(err)
	}
	var block *blocks.DamagedError
	if errors.As(err, &block) {
		return problem.New(problem.Damaged, "vault.damaged", args...).Because(err)
	}
	for _, e := range explanations {
		if errors.Is(err, e.cause) {
			return problem.New(e.kind, e.key, args...).Because(err)
		}
	}
	return err
}

// withPath adds the path that the system spoke of, if none is named.
func withPath(err error, args []string) []string {
	var at *fs.PathError
	if !errors.As(err, &at) || slices.Contains(args, "path") {
		return args
	}
	return append(slices.Clone(args), "path", at.Path)
}

func argument(args []string, name string) string {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1]
		}
	}
	return ""
}

// aboutKit tells what is wrong with a recovery kit, or with its words.
func aboutKit(err error) error {
	switch {
	case errors.Is(err, crypto.ErrWrongSecret):
		return problem.New(problem.WrongSecret, "kit.other-words").Because(err)
	case errors.Is(err, crypto.ErrDamaged), errors.Is(err, canonical.ErrNotCanonical):
		return problem.New(problem.Damaged, "kit.damaged").Because(err)
	}
	return explain(err)
}

// moment writes a time for a sentence.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// explain makes a problem of any error, one that a person can be told.
func explain(err error) error { return problem.Of(about(err)) }
