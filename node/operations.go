// SPDX-License-Identifier: Apache-2.0

package node

import "time"

// The operations, one per command.
var (
	Status         = operation("status", (*Node).status)
	Add            = operation("add", (*Node).add)
	Import         = operation("import", (*Node).importFiles)
	OwnKinds       = operation("kinds", (*Node).kinds)
	KindAdd        = operation("kind.add", (*Node).kindAdd)
	KindRemove     = operation("kind.remove", (*Node).kindRemove)
	Query          = operation("query", (*Node).query)
	Export         = operation("export", (*Node).export)
	Undo           = operation("undo", (*Node).undo)
	Correct        = operation("correct", (*Node).correct)
	List           = operation("list", (*Node).list)
	Show           = operation("show", (*Node).show)
	Open           = operation("open", (*Node).open)
	Remove         = operation("remove", (*Node).remove)
	Card           = operation("card", (*Node).card)
	ContactAdd     = operation("contact.add", (*Node).contactAdd)
	ContactList    = operation("contact.list", (*Node).contactList)
	ContactConfirm = operation("contact.confirm", (*Node).contactConfirm)
	ContactRemove  = operation("contact.remove", (*Node).contactRemove)
	Grant          = operation("grant", (*Node).grant)
	Grants         = operation("grants", (*Node).grants)
	GrantsConfirm  = operation("grants.confirm", (*Node).grantsConfirm)
	Fetch          = operation("fetch", (*Node).fetch)
	Revoke         = operation("revoke", (*Node).revoke)
	Log            = operation("log", (*Node).log)
	Check          = operation("check", (*Node).check)
	Compact        = operation("compact", (*Node).compact)
	Passphrase     = operation("passphrase", (*Node).passphrase)
	Kit            = operation("kit", (*Node).kit)
	Car            = operation("car", (*Node).car)
	RefillFrom     = operation("refill", (*Node).refill)
)

// None is a request or a result without fields.
type None struct{}

// StatusResult says what this node is and how it does.
type StatusResult struct {
	Version   string   `json:"version"`
	Home      string   `json:"home"`
	Running   bool     `json:"running"` // a daemon answered; false when the command opened the vault itself
	Owner     string   `json:"owner"`   // DID
	Node      string   `json:"node"`    // DID
	Addresses []string `json:"addresses,omitempty"`
	Datasets  int      `json:"datasets"`
	Received  int      `json:"received"`
	Contacts  int      `json:"contacts"`
	Blocks    int64    `json:"blocks"`
	Bytes     int64    `json:"bytes"`     // ciphertext on disk
	Suspended bool     `json:"suspended"` // grants wait for the owner's confirmation
	// SuspendedBy is why: kit, old-journal, no-mark, missing-keys, journal-cut.
	SuspendedBy string     `json:"suspended_by,omitempty"`
	Strangers   uint64     `json:"strangers"`      // requests of strangers that were refused since the daemon started; nowhere else
	Load        *Load      `json:"load,omitempty"` // of the daemon
	Swap        bool       `json:"swap"`           // the host swaps to disk: memory may be written there
	Kits        []KitPlace `json:"kits,omitempty"`
	LastRead    time.Time  `json:"last_read,omitzero"` // when all that is stored had last been read
	Damages     []Notice   `json:"damages,omitempty"`  // what is known to be damaged
	Warnings    []Notice   `json:"warnings,omitempty"`
}

// Load is what the daemon takes at the moment.
type Load struct {
	Goroutines int   `json:"goroutines"`
	Files      int   `json:"files"`  // open, with sockets; 0 where the system does not tell
	Memory     int64 `json:"memory"` // bytes that the program has from the system
}

// Notice is a sentence of the catalogue that goes with a result.
type Notice struct {
	Key  string            `json:"key"`
	Args map[string]string `json:"args,omitempty"`
}

// AddRequest asks for a new data set, or the next version of one.
type AddRequest struct {
	Path    string `json:"path"` // absolute
	Name    string `json:"name"` // empty: the path's last element
	Replace bool   `json:"replace,omitempty"`
	DryRun  bool   `json:"dry_run,omitempty"`
	Keep    int    `json:"keep,omitempty"` // versions kept; 0 is the default, 10
}

// AddResult says what an add found and stored.
type AddResult struct {
	Name      string `json:"name"`
	Dataset   string `json:"dataset"`
	Version   uint64 `json:"version"`
	Unchanged bool   `json:"unchanged"` // nothing differs: no new version
	DryRun    bool   `json:"dry_run,omitempty"`
	Files     uint64 `json:"files"`
	Folders   uint64 `json:"folders"`
	Bytes     uint64 `json:"bytes"`
	Added     int    `json:"added"`
	Changed   int    `json:"changed"`
	Removed   int    `json:"removed"`
	NewBytes  uint64 `json:"new_bytes"` // ciphertext that was not here before; of a dry run at most so much
	Skipped   []Skip `json:"skipped,omitempty"`
}

// Skip is a path that was left out, and why.
type Skip struct {
	Path   string `json:"path"`
	Reason string `json:"reason"` // link, special, unreadable …: the vault's [vault.SkipReason]
}

// Dataset is a line of the list.
type Dataset struct {
	Name     string    `json:"name"`
	Dataset  string    `json:"dataset"`        // DID
	From     string    `json:"from,omitempty"` // the contact's name, for one we received
	Version  uint64    `json:"version"`
	Versions int       `json:"versions"`
	Files    uint64    `json:"files"`
	Folders  uint64    `json:"folders"`
	Bytes    uint64    `json:"bytes"`
	Changed  time.Time `json:"changed"`
	Source   string    `json:"source,omitempty"`
	Grants   int       `json:"grants"`            // that are live
	Missing  bool      `json:"missing,omitempty"` // restored from a kit: its content is not here
	Records  *Records  `json:"records,omitempty"` // of one of records
}

// ListResult is the list.
type ListResult struct {
	Datasets []Dataset `json:"datasets"`
}

// NameRequest names a data set, a contact or a grant.
type NameRequest struct {
	Name string `json:"name"`
}

// ShowRequest asks what a data set holds.
type ShowRequest struct {
	Name    string `json:"name"`
	Version uint64 `json:"version,omitempty"` // 0: the newest
	Path    string `json:"path,omitempty"`
}

// ShowResult is a data set, its versions, and the entries of one of them.
type ShowResult struct {
	Dataset  Dataset   `json:"dataset"`
	Versions []Version `json:"versions"`
	Entries  []File    `json:"entries"`
}

// Version is one state of a data set.
type Version struct {
	Version uint64    `json:"version"`
	Time    time.Time `json:"time"`
	Files   uint64    `json:"files"`
	Folders uint64    `json:"folders"`
	Bytes   uint64    `json:"bytes"`
}

// File is a file or a folder of a version. A path that is not UTF-8 is
// spelled with \x escapes.
type File struct {
	Path    string    `json:"path"`
	Folder  bool      `json:"folder,omitempty"`
	Mode    uint32    `json:"mode"`
	Bytes   uint64    `json:"bytes"`
	Changed time.Time `json:"changed"`
}

// OpenRequest asks for plaintext files in a folder of the owner's.
type OpenRequest struct {
	Name    string `json:"name"`
	Version uint64 `json:"version,omitempty"`
	Path    string `json:"path,omitempty"`
	To      string `json:"to"` // absolute
}

// OpenResult says what was written.
type OpenResult struct {
	To      string `json:"to"`
	Version uint64 `json:"version"`
	Files   uint64 `json:"files"`
	Bytes   uint64 `json:"bytes"`
}

// RemoveResult says what a removal did.
type RemoveResult struct {
	Name     string   `json:"name"`
	Dataset  string   `json:"dataset"`
	Received bool     `json:"received,omitempty"`
	Revoked  int      `json:"revoked"` // grants that ended with it
	Notices  []Notice `json:"notices,omitempty"`
}

// CardRequest asks for the owner's link, under a name that others will see.
type CardRequest struct {
	Name string `json:"name,omitempty"`
	Kind string `json:"kind,omitempty"` // person, service, holder, anchor
}

// CardResult is the link to hand to somebody, for one use.
type CardResult struct {
	Link      string    `json:"link"`
	Expires   time.Time `json:"expires"`
	Addresses []string  `json:"addresses"`
}

// ContactAddRequest asks to make the acquaintance of a link's owner.
type ContactAddRequest struct {
	Link string `json:"link"`
	Name string `json:"name,omitempty"` // how we call them; empty: as their card says
}

// Contact is another owner.
type Contact struct {
	Name        string    `json:"name"`
	Owner       string    `json:"owner"`
	Node        string    `json:"node"`
	Kind        string    `json:"kind"`
	Fingerprint string    `json:"fingerprint"`
	Confirmed   bool      `json:"confirmed"` // we added their link, or confirmed their fingerprint
	Expires     time.Time `json:"expires"`
}

// ContactListResult is the contacts.
type ContactListResult struct {
	Contacts []Contact `json:"contacts"`
}

// ContactRemoveResult says what ended with a contact.
type ContactRemoveResult struct {
	Name    string   `json:"name"`
	Revoked int      `json:"revoked"`
	Notices []Notice `json:"notices,omitempty"`
}

// GrantRequest asks for a passage.
type GrantRequest struct {
	Name    string        `json:"name"` // the data set
	To      string        `json:"to"`   // the contact
	Paths   []string      `json:"paths,omitempty"`
	View    QueryRequest  `json:"view,omitzero"`     // of records: columns, conditions, span, period, grid
	Preview bool          `json:"preview,omitempty"` // only shows what would leave; no grant is made
	For     time.Duration `json:"for"`               // how long, from now; 0: 30 days
	Purpose string        `json:"purpose"`           // a word or an IRI; empty: "service"
}

// GrantResult is a grant that was made.
type GrantResult struct {
	Grant     GrantLine `json:"grant"`
	Link      string    `json:"link"`      // for fetch, where pushing is not possible
	Delivered bool      `json:"delivered"` // the contact's node has acknowledged it

	Preview *ViewPreview `json:"preview,omitempty"` // instead of a grant
}

// GrantLine is a grant, given or received.
type GrantLine struct {
	ID          string    `json:"id"` // short name, e.g. g-7f3k2m
	CID         string    `json:"cid"`
	Direction   string    `json:"direction"` // given, received
	Contact     string    `json:"contact"`
	Name        string    `json:"name"` // the data set
	Dataset     string    `json:"dataset"`
	Paths       []string  `json:"paths,omitempty"`
	View        *ViewLine `json:"view,omitempty"` // of records
	Purpose     string    `json:"purpose"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`
	State       string    `json:"state"` // live, expired, revoked, suspended, pending (not yet acknowledged)
	Deliveries  int       `json:"deliveries"`
	Files       uint64    `json:"files"` // delivered, by the last head
	Bytes       uint64    `json:"bytes"`
	Rows        uint64    `json:"rows,omitempty"` // of records
	LastVersion uint64    `json:"last_version,omitempty"`
	LastTime    time.Time `json:"last_time,omitzero"`
}

// ViewLine is which part of records a grant is on, and how coarse.
type ViewLine struct {
	Columns []string  `json:"columns"`
	Where   []string  `json:"where"`
	From    time.Time `json:"from,omitzero"`
	Before  time.Time `json:"before,omitzero"`
	Zone    string    `json:"zone,omitempty"` // of the data set, once it is here
	By      string    `json:"by,omitempty"`
	Grid    string    `json:"grid,omitempty"`
}

// GrantsResult is the grants given and received.
type GrantsResult struct {
	Given       []GrantLine `json:"given"`
	Received    []GrantLine `json:"received"`
	SuspendedBy string      `json:"suspended_by,omitempty"` // as in [StatusResult]
}

// GrantsConfirmResult says how many suspended grants are live again.
type GrantsConfirmResult struct {
	Confirmed int `json:"confirmed"`
}

// FetchRequest asks for what a grant gives.
type FetchRequest struct {
	Grant     string `json:"grant"`                // a received grant's ID or data set name, or a grant link
	LimitRate int64  `json:"limit_rate,omitempty"` // bytes per second; 0: no limit
}

// FetchResult says what was received.
type FetchResult struct {
	Name      string `json:"name"`
	Dataset   string `json:"dataset"`
	From      string `json:"from"`
	Version   uint64 `json:"version"`
	Unchanged bool   `json:"unchanged"`
	Files     uint64 `json:"files"`
	Bytes     uint64 `json:"bytes"`             // of the whole version
	Records   bool   `json:"records,omitempty"` // not files
	Rows      uint64 `json:"rows,omitempty"`    // of records
	Content   string `json:"content,omitempty"` // of records: SHA-256, as the giver's preview says it
	Blocks    uint64 `json:"blocks"`            // received now
	NewBytes  uint64 `json:"new_bytes"`         // ciphertext received now
	HadBlocks uint64 `json:"had_blocks"`        // that were here already
	Millis    int64  `json:"millis"`
}

// RevokeResult says what a revocation did: only sentences that are true.
type RevokeResult struct {
	Grant    GrantLine `json:"grant"`
	Stopped  int       `json:"stopped"`  // transfers under way that were stopped
	Notified bool      `json:"notified"` // the grantee's node has acknowledged the revocation
	Notices  []Notice  `json:"notices"`
}

// LogRequest asks for the audit trail.
type LogRequest struct {
	Since time.Time `json:"since,omitzero"`
	Name  string    `json:"name,omitempty"` // only what concerns this data set or contact
}

// LogLine is one event: who got what, when, why.
type LogLine struct {
	Seq     uint64            `json:"seq"`
	Time    time.Time         `json:"time"`
	Event   string            `json:"event"` // dataset.version, contact.added, grant.given, grant.received, grant.revoked, delivered, received, denied, …
	Contact string            `json:"contact,omitempty"`
	Name    string            `json:"name,omitempty"`
	Grant   string            `json:"grant,omitempty"`
	Args    map[string]string `json:"args,omitempty"` // what the event's sentence names: version, files, bytes, purpose, reason, count
	Erased  bool              `json:"erased,omitempty"`
}

// LogResult is the audit trail, oldest first.
type LogResult struct {
	Lines []LogLine `json:"lines"`
}

// CheckResult lists what is damaged; an empty list is good news.
type CheckResult struct {
	Blocks   int64     `json:"blocks"`
	Bytes    int64     `json:"bytes"`
	Entries  uint64    `json:"entries"`            // of the journal
	LastRead time.Time `json:"last_read,omitzero"` // before, by the node itself or by this
	Damages  []Notice  `json:"damages"`

	// Harmless are traces of damage by which nothing is lost, and about which
	// nothing is to be done.
	Harmless []Notice `json:"harmless"`
}

// CompactRequest asks for the room of what nothing needs any more.
type CompactRequest struct {
	// Waste: also of what a cut-off add or fetch left, which otherwise waits a
	// week to be taken up again.
	Waste bool `json:"waste,omitempty"`
}

// CompactResult says how much room came back.
type CompactResult struct {
	Packs   int      `json:"packs"`   // files rewritten and removed
	Freed   int64    `json:"freed"`   // bytes given back to the disk
	Copied  int64    `json:"copied"`  // bytes that were rewritten for it
	Waiting int64    `json:"waiting"` // bytes that a cut-off add or fetch left, kept for now
	Bytes   int64    `json:"bytes"`   // of all block files now
	Dead    int64    `json:"dead"`    // of them, that nothing needs
	Notices []Notice `json:"notices,omitempty"`
}

// RepairResult says what was mended and what is lost.
type RepairResult struct {
	Mended      []Notice `json:"mended"`
	Lost        []Notice `json:"lost"`
	Left        []Notice `json:"left"` // damage that stays, by which nothing is lost
	Suspended   bool     `json:"suspended"`
	SuspendedBy string   `json:"suspended_by,omitempty"` // as in [StatusResult]
}

// PassphraseRequest changes the passphrase.
type PassphraseRequest struct {
	Current string `json:"current"`
	Words   string `json:"words,omitempty"` // instead of the current one, if that is forgotten
	New     string `json:"new"`
}

// KitRequest asks for the recovery kit.
type KitRequest struct {
	// To is a file that does not exist yet, or where a kit is kept already
	// (absolute). Empty: every place where one is kept.
	To string `json:"to,omitempty"`
	// Once: the node does not keep the kit there up to date from now on.
	Once bool `json:"once,omitempty"`
	// Forget: no kit is kept at To any more; the file stays.
	Forget bool `json:"forget,omitempty"`
}

// KitResult says where kits lie now.
type KitResult struct {
	To    string     `json:"to,omitempty"`
	Bytes int64      `json:"bytes,omitempty"` // of each
	Kept  []KitPlace `json:"kept"`
}

// KitPlace is where the owner keeps a recovery kit, which the node renews.
type KitPlace struct {
	Path    string    `json:"path"`
	Written time.Time `json:"written"`
	Behind  int       `json:"behind"`            // changes since
	There   bool      `json:"there"`             // a kit lies there now
	Trouble string    `json:"trouble,omitempty"` // why it could not be renewed: disk-full, not-ours, newer, failed
	why     string
}
