// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
)

// marked is 32 bytes that are easy to find in whatever is printed.
var marked = bytes.Repeat([]byte("KEY!"), 8)

// traces are the forms in which marked could show.
func traces() []string {
	return []string{"KEY!", hex.EncodeToString(marked[:8]), "4B455921",
		"75, 69, 89, 33", "75 69 89 33", "75,69,89,33", "0x4b, 0x45, 0x59", base64.StdEncoding.EncodeToString(marked)[:8]}
}

func TestKeysPrintNothing(t *testing.T) {
	id, err := identityFromSeed(marked)
	must(t, err)
	receive, err := receiveKeyFrom(marked)
	must(t, err)
	k, err := NewKeyring(&counted{})
	must(t, err)
	k.ring.Owner, k.master, k.tagKey = [32]byte(marked), [32]byte(marked), [32]byte(marked)
	k.scopes[NodeScope].Key = [32]byte(marked)
	rec, err := recoveryFrom(marked)
	must(t, err)
	for name, v := range map[string]any{
		"identity": id, "identity value": *id,
		"receive": receive, "receive value": *receive,
		"block key": BlockKey(marked), "block key pointer": new(BlockKey(marked)),
		"sealer": newSealer([32]byte(marked), id.DID(), "", 0), "keyring": k, "keyring value": *k,
		"secret": Passphrase(marked), "keyfile": Keyfile(marked), "secret pointer": new(Keyfile(marked)),
		"recovery": rec,
	} {
		checkSilent(t, name, v)
		checkSilent(t, name+" in a struct", struct{ Shown any }{v})
		checkSilent(t, name+" in a slice", []any{v})
	}
	// fmt calls no methods on unexported fields: pointers must hide the rest.
	checkSilent(t, "hidden", struct {
		i Identity
		k *Keyring
		s Secret
		r *recovery
		h ReceiveKey
		o *Sealer
	}{*id, k, Passphrase(marked), rec, *receive, newSealer([32]byte(marked), id.DID(), "", 0)})
}

func checkSilent(t *testing.T, name string, v any) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%t", "%b", "%c"} {
		checkTraces(t, name+" "+verb, fmt.Sprintf(verb, v))
	}
	if out, err := json.Marshal(v); err == nil {
		checkTraces(t, name+" json", string(out))
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "v", v, slog.Any("w", v), slog.Group("g", "u", v))
	}
	checkTraces(t, name+" slog", log.String())
}

func checkTraces(t *testing.T, what, out string) {
	t.Helper()
	for _, trace := range traces() {
		if bytes.Contains([]byte(out), []byte(trace)) {
			t.Errorf("%s shows the key: %.120s", what, out)
		}
	}
}

func TestIdentityPrintsItsDID(t *testing.T) {
	id := mustIdentity(t)
	for _, verb := range []string{"%v", "%s", "%+v", "%#v"} {
		if got := fmt.Sprintf(verb, id); got != string(id.DID()) {
			t.Errorf("%s: %s", verb, got)
		}
	}
}
