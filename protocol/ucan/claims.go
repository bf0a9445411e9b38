// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/traboule/traboule/crypto"
)

// claims reads an envelope's claims one by one and remembers the first that
// is wrong; finish then tells it, or that a claim was left over.
type claims struct {
	m    Map
	read int
	err  error
	dids []crypto.DID // already parsed: a token names the same party often
}

func (c *claims) fail(key string, cause error) {
	if c.err == nil {
		c.err = fmt.Errorf("claim %q: %w", key, cause)
	}
}

func (c *claims) finish() error {
	if c.err == nil && c.read != len(c.m) {
		c.err = fmt.Errorf("%d unknown claims", len(c.m)-c.read)
	}
	if c.err != nil {
		return &Error{InvalidClaim, NoProof, c.err}
	}
	return nil
}

func (c *claims) optional(key string) (Value, bool) {
	v, ok := c.m.Get(key)
	if ok {
		c.read++
	}
	return v, ok
}

func (c *claims) required(key string) Value {
	v, ok := c.optional(key)
	if !ok {
		c.fail(key, errors.New("absent"))
	}
	return v
}

// expect reports a claim of another kind than wanted; an absent claim has been
// reported already.
func (c *claims) expect(key string, v Value, kind ValueKind) bool {
	if v.kind != kind {
		c.fail(key, errors.New("of the wrong kind"))
	}
	return v.kind == kind
}

func (c *claims) did(key string) crypto.DID { return c.parseDID(key, c.required(key)) }

func (c *claims) optionalDID(key string) crypto.DID {
	v, ok := c.optional(key)
	if !ok {
		return ""
	}
	return c.parseDID(key, v)
}

// didOrNull reads a claim that must be there and may be null, which is "".
func (c *claims) didOrNull(key string) crypto.DID {
	v, ok := c.m.Get(key)
	if ok && v.IsNull() {
		c.read++
		return ""
	}
	return c.did(key)
}

func (c *claims) parseDID(key string, v Value) crypto.DID {
	if !c.expect(key, v, KindString) {
		return ""
	}
	for _, did := range c.dids {
		if string(did) == v.str {
			return did
		}
	}
	did, err := crypto.ParseDID(v.str)
	if err != nil {
		c.fail(key, err)
		return ""
	}
	c.dids = append(c.dids, did)
	return did
}

func (c *claims) command(key string) Command {
	v := c.required(key)
	if !c.expect(key, v, KindString) {
		return ""
	}
	cmd, err := ParseCommand(v.str)
	if err != nil {
		c.fail(key, err)
	}
	return cmd
}

func (c *claims) policy(key string) Policy {
	p, err := ParsePolicy(c.required(key))
	if err != nil {
		c.fail(key, err)
	}
	return p
}

func (c *claims) bytes(key string) []byte {
	v := c.required(key)
	c.expect(key, v, KindBytes)
	return []byte(v.str)
}

// dict is never nil, so that a claim that is there can be told from one that
// is not.
func (c *claims) dict(key string) Map {
	v := c.required(key)
	c.expect(key, v, KindMap)
	return v.dict
}

func (c *claims) optionalDict(key string) Map {
	if _, ok := c.m.Get(key); !ok {
		return nil
	}
	return c.dict(key)
}

// time reads Unix seconds that must be there and may be null, which is nil.
func (c *claims) time(key string) *int64 {
	if v := c.required(key); !v.IsNull() {
		return c.seconds(key, v)
	}
	return nil
}

func (c *claims) optionalTime(key string) *int64 {
	v, ok := c.optional(key)
	if !ok {
		return nil
	}
	return c.seconds(key, v)
}

func (c *claims) seconds(key string, v Value) *int64 {
	c.expect(key, v, KindInt)
	i := int64(v.num)
	return &i
}

func (c *claims) links(key string) []cid.Cid {
	v := c.required(key)
	c.expect(key, v, KindList)
	links := make([]cid.Cid, 0, len(v.list))
	for _, item := range v.list {
		if id, ok := tokenLink(item); ok {
			links = append(links, id)
		} else {
			c.fail(key, errNoTokenLink)
		}
	}
	return links
}

func (c *claims) optionalLink(key string) *cid.Cid {
	v, ok := c.optional(key)
	if !ok {
		return nil
	}
	c.expect(key, v, KindLink)
	id, _ := v.AsLink()
	return &id
}

var errNoTokenLink = errors.New("not the CID of a token (version 1, DAG-CBOR, SHA2-256)")

// tokenLink is the CID in v if it has the form that every token's CID has.
func tokenLink(v Value) (cid.Cid, bool) {
	if v.kind != KindLink || len(v.str) != len(cidPrefix)+32 || !strings.HasPrefix(v.str, cidPrefix) {
		return cid.Undef, false
	}
	return v.AsLink()
}

// timeClaim is t as a claim: null if nil.
func timeClaim(t *int64) Value {
	if t == nil {
		return Null()
	}
	return Int(*t)
}

func linksClaim(ids []cid.Cid) Value {
	items := make([]Value, len(ids))
	for i, id := range ids {
		items[i] = Link(id)
	}
	return Value{kind: KindList, list: items}
}
