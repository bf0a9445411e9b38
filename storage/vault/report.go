// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/traboule/traboule/storage/journal"
)

// Args are the values that belong to a finding. Numbers are in decimal, files
// are named below the vault's folder.
type Args map[string]string

// Damage is one thing that [Vault.Check] found wrong. What it means, and what
// to do about it, is said of each kind.
type Damage struct {
	Kind DamageKind
	Args Args
	Lost bool // something cannot be read because of it

	// Harmless is a trace that stays of damage by which nothing is lost, and
	// about which nothing is to be done.
	Harmless bool
}

// DamageKind is a code for what is wrong. Kinds are only added to. In braces
// are the names of the values that come with each.
type DamageKind string

// The kinds of damage.
const (
	KeyringMissing  DamageKind = "keyring-missing"  // {file}: a copy of the keyring is not there; the next start copies the other
	KeyringDamaged  DamageKind = "keyring-damaged"  // {file}: a copy of the keyring cannot be read; the next start copies the other
	KeyringOlder    DamageKind = "keyring-older"    // {file} {other}: a copy is older than the other; the next start copies that
	MarkDamaged     DamageKind = "mark-damaged"     // {file}: the memory of the journal's end; written anew when the vault is closed
	JournalDamaged  DamageKind = "journal-damaged"  // {file} {offset}: lost is what comes after; stop the node and Repair
	HistoryDamaged  DamageKind = "history-damaged"  // {file} {offset}: of the journal before its newest checkpoint; what decides stands behind it; Repair
	HistoryAside    DamageKind = "history-aside"    // {file} {offset} {bytes} {files} {aside}: Repair set it aside; nothing is suspended for it
	JournalEntry    DamageKind = "journal-entry"    // {entry}: an entry does not open, nor perhaps those after it; Repair
	JournalCut      DamageKind = "journal-cut"      // {file} {offset} {bytes} {files} {aside}: Repair cut it off; confirm the grants
	PackDamaged     DamageKind = "pack-damaged"     // {file} {offset}: in a file of blocks; what needs it is found apart
	PackUnreadable  DamageKind = "pack-unreadable"  // {file}: a whole file of blocks; what needs it is found apart
	PackScar        DamageKind = "pack-scar"        // {file} {offset}: bytes that nothing needs; harmless
	FilesLost       DamageKind = "files-lost"       // {name} {version} {files} {paths} {source}: add the source again, or bring the packs back
	RecordsLost     DamageKind = "records-lost"     // {name} {version}: some of its records, or their list; bring the packs back
	ListLost        DamageKind = "list-lost"        // {name} {version} {source}: as above, for its list of files or a part of it
	FilesNotHere    DamageKind = "files-not-here"   // {name} {version} {files} {paths}: of a received data set; fetch it again
	ListNotHere     DamageKind = "list-not-here"    // {name} {version}: of a received data set; fetch it again
	IndexUnwritable DamageKind = "index-unwritable" // {file}: it cannot be emptied; remove the folder, nothing is in it that is not elsewhere
)

// Healing is something that was made good from what was left of it.
type Healing struct {
	Kind HealingKind
	Args Args
}

// HealingKind is a code for what was made good. Kinds are only added to.
type HealingKind string

// The kinds of healing.
const (
	KeyringCopied HealingKind = "keyring-copied" // {file} {other}: missing, damaged or older; it is a copy of the other again
	MarkRenewed   HealingKind = "mark-renewed"   // {file}: could not be read and is written anew
	IndexEmptied  HealingKind = "index-emptied"  // the index could not be opened and starts empty; only slower at first
)

// Suspension is a code for why no grant is honoured until [Vault.Confirm]; ""
// when they are. Reasons are only added to; the journal keeps them.
type Suspension string

// The reasons for a suspension.
const (
	FromKit     Suspension = "kit"          // restored from a recovery kit, which may be older than a revocation
	OldJournal  Suspension = "old-journal"  // the journal is older than the vault remembers, or was changed
	NoMark      Suspension = "no-mark"      // what the vault remembered of its journal is lost
	MissingKeys Suspension = "missing-keys" // the journal speaks of keys that the keyring does not have
	CutJournal  Suspension = "journal-cut"  // the journal was damaged and Repair cut it
)

// Skip is something that a version does not mirror.
type Skip struct {
	Path string
	Why  SkipReason
}

// SkipReason is a code for why something is left out. Reasons are only added to.
type SkipReason string

// The reasons for a skip.
const (
	SkipLink       SkipReason = "link"       // a symbolic link
	SkipPipe       SkipReason = "pipe"       // a named pipe
	SkipSocket     SkipReason = "socket"     // a socket
	SkipDevice     SkipReason = "device"     // a device
	SkipSpecial    SkipReason = "special"    // neither a file nor a folder
	SkipVault      SkipReason = "vault"      // this vault itself
	SkipLongPath   SkipReason = "long-path"  // its path is longer than storage.MaxPath
	SkipPermission SkipReason = "permission" // it may not be read
	SkipGone       SkipReason = "gone"       // it was gone while the source was read
	SkipDisk       SkipReason = "disk"       // the disk that it is on fails
	SkipUnreadable SkipReason = "unreadable" // it cannot be read for another reason
)

func number[N int | int64 | uint32 | uint64](n N) string { return fmt.Sprint(n) }

// keyringDamage says what is wrong with a copy of the keyring.
func keyringDamage(c keyringCopy) Damage {
	kind := KeyringDamaged
	if errors.Is(c.why, fs.ErrNotExist) {
		kind = KeyringMissing
	}
	return Damage{Kind: kind, Args: Args{"file": c.name}}
}

// journalDamage says where a journal is damaged, as far as err knows.
func journalDamage(err error, entry uint64) Damage {
	var at *journal.DamagedError
	if errors.As(err, &at) {
		return Damage{Kind: JournalDamaged, Lost: true, Args: Args{"file": segmentFile(at.Segment), "offset": number(at.Offset)}}
	}
	return Damage{Kind: JournalEntry, Lost: true, Args: Args{"entry": number(entry)}}
}

func segmentName(segment uint32) string { return fmt.Sprintf("%08d.log", segment) }

func segmentFile(segment uint32) string { return path.Join(logDir, segmentName(segment)) }

func packFile(pack uint32) string { return path.Join(packsDir, fmt.Sprintf("%08d.pack", pack)) }

// packDamage is a place in a pack while something is lost that may have stood there.
func packDamage(pack uint32, offset int64) Damage {
	if offset == 0 {
		return Damage{Kind: PackUnreadable, Lost: true, Args: Args{"file": packFile(pack)}}
	}
	return Damage{Kind: PackDamaged, Lost: true, Args: Args{"file": packFile(pack), "offset": number(offset)}}
}

// packScar is a place in a pack that nothing needs.
func packScar(pack uint32, offset int64) Damage {
	return Damage{Kind: PackScar, Harmless: true, Args: Args{"file": packFile(pack), "offset": number(offset)}}
}
