// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

func (n *Node) status(ctx context.Context, _ None, _ func(Progress)) (StatusResult, error) {
	stats := n.vault.Blocks().Stats()
	r := StatusResult{
		Version: n.opt.Version, Home: n.opt.Home, Owner: string(n.keys.Owner().DID()), Node: string(n.keys.Node().DID()),
		Contacts: len(n.book.contactList()), Blocks: int64(stats.Blocks), Bytes: stats.Bytes,
		Strangers: n.denials.strangers.Load(), Swap: hostSwaps(),
	}
	r.Suspended, r.SuspendedBy = n.suspended()
	for _, d := range n.vault.Datasets() {
		if d.From == "" {
			r.Datasets++
		} else {
			r.Received++
		}
	}
	if l, err := n.online(); err == nil {
		r.Running, r.Addresses, r.Load = true, l.host.Addrs(), load()
	}
	r.Kits, r.LastRead = n.kitPlaces(), n.vault.Checked()
	known, err := n.vault.Damages(ctx)
	if err != nil {
		return r, err
	}
	r.Damages = damageNotices(slices.DeleteFunc(known, func(d vault.Damage) bool { return d.Harmless }))
	r.Warnings = n.warnings(r)
	return r, nil
}

func load() *Load {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, _ := os.ReadDir("/proc/self/fd") // there is none on some systems
	return &Load{
		Goroutines: runtime.NumGoroutine(), Files: len(files), Memory: int64(memory.Sys - memory.HeapReleased),
	}
}

// warnings are the sentences that an owner should read once.
func (n *Node) warnings(r StatusResult) []Notice {
	var list []Notice
	if r.Swap {
		list = append(list, Notice{Key: "warn-swap"})
	}
	if r.Suspended {
		list = append(list, suspendedNotice(n.vault.Suspended()))
	}
	if behind := n.gate.Behind(); behind > 0 {
		list = append(list, Notice{Key: "warn-clock", Args: map[string]string{"span": behind.String()}})
	}
	if n.unreadable > 0 {
		list = append(list, Notice{Key: "warn-unreadable", Args: map[string]string{"n": strconv.Itoa(n.unreadable)}})
	}
	list = append(list, n.kitWarnings(r)...)
	return append(list, healings(n.found.Healed)...)
}

// suspendedNotice says why the grants are suspended, and the way out.
func suspendedNotice(why vault.Suspension) Notice { return Notice{Key: "suspended." + string(why)} }

// suspended tells whether grants wait for the owner's confirmation, and why.
func (n *Node) suspended() (yes bool, why string) {
	reason := n.vault.Suspended()
	return reason != "", string(reason)
}

// healings says what was made good.
func healings(found []vault.Healing) []Notice {
	list := []Notice{}
	for _, h := range found {
		list = append(list, Notice{Key: "healed." + string(h.Kind), Args: h.Args})
	}
	return list
}

// hostSwaps says whether the host may write memory to a disk. Where the
// system does not say so in /proc, it is taken not to.
func hostSwaps() bool {
	table, err := os.ReadFile("/proc/swaps")
	return err == nil && bytes.Count(table, []byte("\n")) > 1
}

func (n *Node) check(ctx context.Context, _ None, progress func(Progress)) (CheckResult, error) {
	before := n.vault.Checked()
	damages, err := n.vault.Check(ctx, func(done, total int64) {
		progress(Progress{Step: "check", Done: done, Total: total})
	})
	if err != nil {
		return CheckResult{}, err
	}
	stats := n.vault.Blocks().Stats()
	var harmless []vault.Damage
	damages = slices.DeleteFunc(damages, func(d vault.Damage) bool {
		if d.Harmless {
			harmless = append(harmless, d)
		}
		return d.Harmless
	})
	return CheckResult{
		Blocks: int64(stats.Blocks), Bytes: stats.Bytes, Entries: n.vault.Entries(), LastRead: before,
		Damages: append(damageNotices(damages), n.unreadableRecords(ctx)...), Harmless: damageNotices(harmless),
	}, nil
}

// unreadableRecords tells of data sets of records whose blocks are all here, and
// which cannot be opened all the same.
func (n *Node) unreadableRecords(ctx context.Context) (list []Notice) {
	for _, d := range n.vault.Datasets() {
		head, ok := d.Latest()
		if !ok || d.Kind != storage.KindRecords || !n.vault.Holds(ctx, head) {
			continue
		}
		if _, err := record.Open(ctx, n.objectsOf(head)); err != nil && ctx.Err() == nil {
			list = append(list, Notice{Key: "records.unreadable", Args: map[string]string{"name": d.Name, "version": strconv.FormatUint(versionNumber(head.Sequence), 10)}})
		}
	}
	return list
}

// damageNotices says what is damaged, what is lost by it, and the way out.
func damageNotices(found []vault.Damage) []Notice {
	list := []Notice{}
	for _, d := range found {
		list = append(list, Notice{Key: "damage." + string(d.Kind), Args: d.Args})
	}
	return list
}

// RepairHome mends a vault that cannot be opened, or one that can; no process
// may have it open.
func RepairHome(ctx context.Context, opt Options) (RepairResult, error) {
	found, err := vault.Repair(ctx, opt.Home, opt.Secret.crypto(), vault.Options{FS: opt.Files, Now: opt.Now, Witness: opt.Witness})
	if err != nil {
		return RepairResult{}, explain(about(err, "home", opt.Home))
	}
	var lost, left []vault.Damage
	for _, d := range found.Damages {
		if d.Lost {
			lost = append(lost, d)
			continue
		}
		left = append(left, d)
	}
	r := RepairResult{Mended: healings(found.Healed), Lost: damageNotices(lost), Left: damageNotices(left)}
	n, err := OpenHome(ctx, opt)
	if err != nil {
		return r, err
	}
	r.Suspended, r.SuspendedBy = n.suspended()
	return r, n.Close()
}

func (n *Node) passphrase(ctx context.Context, q PassphraseRequest, _ func(Progress)) (None, error) {
	shown := crypto.Passphrase([]byte(q.Current))
	if q.Words != "" {
		shown = crypto.Words(q.Words)
	}
	if err := n.vault.CheckSecret(shown); err != nil {
		return None{}, err
	}
	return None{}, n.vault.ChangePassphrase([]byte(q.New))
}

func lowered(to time.Time) vault.Fact {
	return vault.Fact{Kind: factClockLowered, Public: publicMark(to)}
}

// LowerClock takes the clock as it stands for right, although the journal has
// seen a later time: an act of the owner, who shows it by the secret.
func LowerClock(ctx context.Context, opt Options) error {
	n, err := OpenHome(ctx, opt)
	if err != nil {
		return err
	}
	err = n.record(ctx, lowered(n.now()))
	if closing := n.Close(); err == nil {
		err = closing
	}
	return about(err)
}
