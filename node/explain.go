// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/journal"
	"github.com/traboule/traboule/storage/vault"
)

// explanations say which sentence goes with which error of the packages below;
// the first that fits is told.
var explanations = []struct {
	cause error
	kind  problem.Kind
	key   string
}{
	{context.Canceled, problem.Interrupted, "interrupted"},
	{disk.ErrReserve, problem.DiskFull, "disk.full"},
	{vault.ErrNoVault, problem.NoVault, "vault.none"},
	{vault.ErrUnfinished, problem.NoVault, "vault.unfinished"},
	{vault.ErrExists, problem.Exists, "vault.exists"},
	{vault.ErrVaultBusy, problem.Busy, "vault.busy"},
	{vault.ErrKeyring, problem.Damaged, "vault.keyring"},
	{crypto.ErrWrongSecret, problem.WrongSecret, "secret.wrong"},
	{crypto.ErrBadWords, problem.WrongSecret, "words.bad"},
	{crypto.ErrBadSecret, problem.Usage, "secret.unsuitable"},
	{vault.ErrNoDataset, problem.NotFound, "dataset.none"},
	{vault.ErrAmbiguous, problem.Usage, "dataset.ambiguous"},
	{vault.ErrNoVersion, problem.NotFound, "dataset.no-version"},
	{vault.ErrNameTaken, problem.Exists, "dataset.name-taken"},
	{vault.ErrOtherSource, problem.Exists, "dataset.other-source"},
	{vault.ErrChanging, problem.Changed, "dataset.changing"},
	{vault.ErrNotOurs, problem.Usage, "dataset.not-ours"},
	{vault.ErrMissing, problem.Damaged, "dataset.missing"},
	{vault.ErrOldHead, problem.Misbehaviour, "fetch.old-head"},
	{vault.ErrFileExists, problem.Exists, "file.exists"},
	{vault.ErrNoPath, problem.NotFound, "no-such-path"},
	{storage.ErrBadName, problem.Usage, "dataset.bad-name"},
	{storage.ErrBadPrefix, problem.Usage, "grant.bad-path"},
	{p2p.ErrSomebodyElse, problem.Unreachable, "peer.somebody-else"},
	{p2p.ErrNotSpoken, problem.Unreachable, "peer.not-spoken"},
	{p2p.ErrNobodyAnswers, problem.Unreachable, "peer.nobody"},
	{fs.ErrNotExist, problem.NotFound, "file.none"},
	{fs.ErrExist, problem.Exists, "file.exists"},
	{fs.ErrPermission, problem.Unexpected, "file.permission"},
	{crypto.ErrDamaged, problem.Damaged, "vault.damaged"},
	{journal.ErrDamaged, problem.Damaged, "vault.damaged"},
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
	if disk.IsFull(err) {
		return problem.New(problem.DiskFull, "disk.full", args...).Because(err)
	}
	for _, e := range explanations {
		if errors.Is(err, e.cause) {
			return problem.New(e.kind, e.key, args...).Because(err)
		}
	}
	return err
}

// moment writes a time for a sentence.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// explain makes a problem of any error, one that a person can be told.
func explain(err error) error { return problem.Of(about(err)) }
