// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// plants are faults, one each, that somebody could make in the program: a text
// of a file, and what stands in its place.
var plants = []struct{ name, file, text, instead string }{
	{"a revocation is ignored by those who ask for fresh links", "node/access/check.go",
		"c.gate.revoked.Revoked(c.chain); revoked {", "c.gate.revoked.Revoked(c.chain); revoked && c.inv.Command != grant.CommandChain {"},
	{"a revocation is ignored where a grant was passed on", "node/access/check.go",
		"c.gate.revoked.Revoked(c.chain); revoked {", "c.gate.revoked.Revoked(c.chain); revoked && len(c.chain) == 4 {"},
	{"the gate forgets the revocations at a restart", "node/node.go",
		"if err = n.remember(); err != nil {",
		"err = n.remember()\n\tn.gate = access.New(access.Options{Self: n.keys.Node().DID(), Datasets: n.standing, Known: n.isIssuer, Clock: opt.Now})\n\tif err != nil {"},
	{"the gate forgets at a restart what it has answered", "node/remember.go",
		"n.gate.LoadRecent(access.Seen{Digest: mark.Invocation, Expires: mark.Expires})", ""},
	{"a revocation does not stop what is under way", "node/grants.go",
		"stopped = n.passages.end(g.cid)", ""},
	{"the end of a grant is judged by the time in the message", "node/access/check.go",
		"c.now.at > *d.Expires", "*c.inv.IssuedAt > *d.Expires"},
	{"anybody may bring an invocation", "node/access/check.go",
		"if inv.Issuer != c.peer {", "if false {"},
	{"what was answered once is answered again", "node/access/seen.go",
		"if _, again := g.seen.until[s.Digest]; again {", "if false {"},
	{"suspended grants are honoured", "node/node.go",
		`case n.vault.Suspended() != "":`, "case false:"},
	{"a backup that is put back goes unnoticed", "storage/vault/keyfiles.go",
		"v.readMarkAt(v.witness()); err == nil {", "v.readMarkAt(v.witness()); err == nil && false {"},
	{"a clock that was put back is believed", "node/access/check.go",
		"case c.now.behind > 0:", "case false:"},
	{"whoever has a part is given all", "node/serve.go",
		"n.vault.ViewHead(ctx, d.Grant.Dataset, viewOf(d.Args.Paths))", "n.vault.ViewHead(ctx, d.Grant.Dataset, viewOf([]string{\"\"}))"},
	{"what was narrowed when it was passed on is not", "node/access/check.go",
		"ucan.CheckPolicies(c.inv, c.chain)", "ucan.CheckPolicies(c.inv, c.chain[:grant.LinkGrant+1])"},
	{"a view keeps the keys that a former grantee had", "storage/vault/view.go",
		"have.Sequence == latest.Sequence && have.Generation == d.generation {", "have.Sequence == latest.Sequence {"},
	{"the second delivery of a version is not written down", "node/serve.go",
		"if err := n.record(ctx, n.deliveryFacts(d, head, rows, uses)...); err != nil {",
		"if g, _ := n.book.givenBy(d.Leaf); g.last.Version == head.Sequence {\n\t} else if err := n.record(ctx, n.deliveryFacts(d, head, rows, uses)...); err != nil {"},
	{"a dismissed contact keeps what they were granted", "node/contacts.go",
		"if g.ended(n.now()) {", "if true {"},
	{"a checkpoint leaves revocations out", "node/digest.go",
		"case factDenials, factDamaged:", "case factRevocation, factDenials, factDamaged:"},
	{"a checkpoint leaves out what was answered", "node/digest.go",
		"past: max(mark.Expires, rec.Time) < d.until}", "past: true}"},
	{"a home made from a kit waits for nobody", "storage/vault/kit.go",
		"first = append(first, change{kind: kindSuspended, scope: crypto.NodeScope,\n\t\tbody: encode(suspendedBody{FromKit})})", ""},
	{"a home made from a kit lives on as if nothing had been", "storage/vault/kit.go",
		"nextLife(state.Incarnation, opt.Now())", "state.Incarnation"},
	{"a clock that was declared right is not believed", "node/care.go",
		"err = n.record(ctx, lowered(n.now()))", ""},
	{"the journal does not wait for the disk", "storage/journal/append.go",
		"err = file.Sync()", ""},
}

// enough is how many seeds may pass before a planted fault is found.
const enough = 100

// TestPlantedFaults plants each fault in a copy of its file, builds the model
// check with it, and sees to it that the check finds it. Without
// TRABOULE_SOAK=1 it plants the first alone.
func TestPlantedFaults(t *testing.T) {
	list := plants
	if os.Getenv("TRABOULE_SOAK") != "1" {
		list = list[:1]
	}
	for _, p := range list {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			program := plant(t, p.file, p.text, p.instead)
			started := time.Now()
			found := hunt(t, program)
			t.Logf("found in %v: %s", time.Since(started).Round(time.Second/10), found)
		})
	}
}

// plant builds the tests of this package over a file in which a text, which
// must stand there once, is another.
func plant(t *testing.T, file, text, instead string) (program string) {
	t.Helper()
	dir := t.TempDir()
	real, err := filepath.Abs(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(real)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), text); n != 1 {
		t.Fatalf("%s has %d times %q: plant the fault elsewhere", file, n, text)
	}
	faulty, overlay := filepath.Join(dir, "faulty.go"), filepath.Join(dir, "overlay.json")
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {real: faulty}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		faulty: []byte(strings.Replace(string(source), text, instead, 1)), overlay: replaced,
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "model.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

var foundAt = regexp.MustCompile(`(?s)TRABOULE_SEED=\d+: .*?(\n\s*---|\n=== |$)`)

// hunt plays histories until one fails, and says how.
func hunt(t *testing.T, program string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, "-test.run=^TestHistories$", "-test.failfast", "-test.v", "-shrink=false")
	c.Env = append(os.Environ(), "TRABOULE_SEED=1", fmt.Sprintf("TRABOULE_RUNS=%d", enough), "TRABOULE_SOAK=")
	out, err := c.CombinedOutput()
	found := foundAt.FindString(string(out))
	if err == nil || found == "" {
		t.Fatalf("%d seeds, and it was not found (%v)\n%s", enough, err, out)
	}
	return strings.Join(strings.Fields(strings.TrimSuffix(strings.TrimSpace(found), "---")), " ")
}
