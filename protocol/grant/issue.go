// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"fmt"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

// MaxInvocationLife is how far ahead a live invocation may expire.
const MaxInvocationLife = 5 * time.Minute

// early is how long before its making a node link begins, so that a clock
// stepping back a little does not shut the node out.
const early = time.Minute

// Birth signs link 0 of every chain of a data set: data set → owner. It is
// signed once, when the data set is born. nonce is 12 random bytes.
func Birth(dataset crypto.Signer, owner crypto.DID, nonce []byte) (*ucan.Delegation, error) {
	return sign(LinkBirth, dataset, ucan.DelegationClaims{
		Audience: owner, Subject: dataset.DID(), Command: CommandAll, Nonce: nonce,
	})
}

// AppointNode signs link 1: owner → node, for [NodeLinkLife] from now.
func AppointNode(owner crypto.Signer, dataset, node crypto.DID, now time.Time, nonce []byte) (*ucan.Delegation, error) {
	from := now.Add(-early).Unix()
	until := from + int64(NodeLinkLife/time.Second)
	return sign(LinkNode, owner, ucan.DelegationClaims{
		Audience: node, Subject: dataset, Command: CommandAll, Nonce: nonce, NotBefore: &from, Expires: &until,
	})
}

// Issue signs link 2, the grant: node → grantee's owner.
func Issue(node crypto.Signer, g Grant, nonce []byte) (*ucan.Delegation, error) {
	claims, err := Compile(g)
	if err != nil {
		return nil, err
	}
	claims.Nonce = nonce
	return sign(LinkGrant, node, claims)
}

// PassOn signs the next link of chain as its last audience: to that owner's
// own node, or from a node to a worker's owner. It widens nothing: the command
// is the one above, the end is until or that of the link above, whichever is
// earlier. policy may narrow; nil leaves it at what the links above say.
func PassOn(holder crypto.Signer, chain Chain, to crypto.DID, until time.Time, policy ucan.Policy, nonce []byte) (*ucan.Delegation, error) {
	if len(chain) <= LinkGrant || len(chain) >= MaxLinks {
		return nil, outside(len(chain), RuleLinks, "a chain of %d links is not passed on", len(chain))
	}
	above := chain[len(chain)-1]
	end := until.Unix()
	if above.Expires != nil {
		end = min(end, *above.Expires)
	}
	d, err := sign(len(chain), holder, ucan.DelegationClaims{
		Audience: to, Subject: above.Subject, Command: above.Command, Policy: policy, Nonce: nonce, Expires: &end,
	})
	if err != nil {
		return nil, err
	}
	return d, CheckChain(append(chain[:len(chain):len(chain)], d))
}

// Ask signs a live invocation of command under chain, for the node server to
// answer within the next four minutes.
func Ask(asker crypto.Signer, chain Chain, server crypto.DID, command ucan.Command, args ucan.Map, now time.Time, nonce []byte) (*ucan.Invocation, error) {
	if err := CheckArguments(command, args); err != nil {
		return nil, err
	}
	issued := now.Unix()
	expires := issued + int64((MaxInvocationLife-early)/time.Second)
	proofs := make([]cid.Cid, len(chain))
	for i, d := range chain {
		proofs[i] = d.CID()
	}
	return ucan.Invoke(asker, ucan.InvocationClaims{
		Subject: chain.Dataset(), Audience: server, Command: command, Args: args,
		Proofs: proofs, Nonce: nonce, IssuedAt: &issued, Expires: &expires,
	})
}

func sign(link int, s crypto.Signer, c ucan.DelegationClaims) (*ucan.Delegation, error) {
	d, err := ucan.Delegate(s, c)
	if err != nil {
		return nil, fmt.Errorf("sign link %d (%s): %w", link, roleName(link), err)
	}
	if err := checkDelegation(link, d); err != nil {
		return nil, err
	}
	return d, checkRole(link, d)
}
