// SPDX-License-Identifier: Apache-2.0

package node

import "context"

func (n *Node) status(ctx context.Context, q None, progress func(Progress)) (r StatusResult, err error) {
	panic("skeleton")
}

func (n *Node) add(ctx context.Context, q AddRequest, progress func(Progress)) (r AddResult, err error) {
	panic("skeleton")
}

func (n *Node) list(ctx context.Context, q None, progress func(Progress)) (r ListResult, err error) {
	panic("skeleton")
}

func (n *Node) show(ctx context.Context, q ShowRequest, progress func(Progress)) (r ShowResult, err error) {
	panic("skeleton")
}

func (n *Node) open(ctx context.Context, q OpenRequest, progress func(Progress)) (r OpenResult, err error) {
	panic("skeleton")
}

func (n *Node) remove(ctx context.Context, q NameRequest, progress func(Progress)) (r RemoveResult, err error) {
	panic("skeleton")
}

func (n *Node) card(ctx context.Context, q CardRequest, progress func(Progress)) (r CardResult, err error) {
	panic("skeleton")
}

func (n *Node) contactAdd(ctx context.Context, q ContactAddRequest, progress func(Progress)) (r Contact, err error) {
	panic("skeleton")
}

func (n *Node) contactList(ctx context.Context, q None, progress func(Progress)) (r ContactListResult, err error) {
	panic("skeleton")
}

func (n *Node) contactConfirm(ctx context.Context, q NameRequest, progress func(Progress)) (r Contact, err error) {
	panic("skeleton")
}

func (n *Node) contactRemove(ctx context.Context, q NameRequest, progress func(Progress)) (r ContactRemoveResult, err error) {
	panic("skeleton")
}

func (n *Node) grant(ctx context.Context, q GrantRequest, progress func(Progress)) (r GrantResult, err error) {
	panic("skeleton")
}

func (n *Node) grants(ctx context.Context, q None, progress func(Progress)) (r GrantsResult, err error) {
	panic("skeleton")
}

func (n *Node) grantsConfirm(ctx context.Context, q None, progress func(Progress)) (r GrantsConfirmResult, err error) {
	panic("skeleton")
}

func (n *Node) fetch(ctx context.Context, q FetchRequest, progress func(Progress)) (r FetchResult, err error) {
	panic("skeleton")
}

func (n *Node) revoke(ctx context.Context, q NameRequest, progress func(Progress)) (r RevokeResult, err error) {
	panic("skeleton")
}

func (n *Node) log(ctx context.Context, q LogRequest, progress func(Progress)) (r LogResult, err error) {
	panic("skeleton")
}

func (n *Node) check(ctx context.Context, q None, progress func(Progress)) (r CheckResult, err error) {
	panic("skeleton")
}

func (n *Node) repair(ctx context.Context, q None, progress func(Progress)) (r RepairResult, err error) {
	panic("skeleton")
}

func (n *Node) passphrase(ctx context.Context, q PassphraseRequest, progress func(Progress)) (r None, err error) {
	panic("skeleton")
}

func (n *Node) kit(ctx context.Context, q KitRequest, progress func(Progress)) (r KitResult, err error) {
	panic("skeleton")
}
