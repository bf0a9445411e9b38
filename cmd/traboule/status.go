// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

// vaultKinds are the problems that any command may meet which needs the vault.
var vaultKinds = []problem.Kind{problem.NoVault, problem.WrongSecret, problem.Busy, problem.Damaged}

// with adds kinds to those of any command.
func with(kinds ...problem.Kind) []problem.Kind {
	return append(append([]problem.Kind{}, vaultKinds...), kinds...)
}

func (a *app) statusCommand() *cobra.Command {
	return a.command("status", "status", with(), func(cmd *cobra.Command, _ []string) error {
		return do(cmd.Context(), a, node.Status, node.None{}, a.showStatus)
	})
}

// read says when all that is stored was last read.
func (a *app) read(at time.Time) string {
	if at.IsZero() {
		return a.text("status.not-read")
	}
	return a.lang.Time(at.Local())
}

func (a *app) showStatus(s node.StatusResult) {
	state := "status.not-running"
	if s.Running {
		state = "status.running"
	}
	t := table{}
	t.row(a.text("label.state"), a.text(state))
	t.row(a.text("label.home"), clean(s.Home))
	t.row(a.text("label.owner"), s.Owner)
	t.row(a.text("label.node"), s.Node)
	for _, address := range s.Addresses {
		t.row(a.text("label.address"), clean(address))
	}
	t.row(a.text("label.datasets"), a.text("status.datasets", "own", strconv.Itoa(s.Datasets), "received", strconv.Itoa(s.Received)))
	t.row(a.text("label.contacts"), strconv.Itoa(s.Contacts))
	t.row(a.text("label.disk"), a.text("status.disk", "bytes", strconv.FormatInt(s.Bytes, 10), "blocks", strconv.FormatInt(s.Blocks, 10)))
	if s.Strangers > 0 {
		t.row(a.text("label.strangers"), a.text("status.strangers", "n", strconv.FormatUint(s.Strangers, 10)))
	}
	if s.Running || !s.LastRead.IsZero() {
		t.row(a.text("label.read"), a.read(s.LastRead))
	}
	t.print(a.out)
	a.notices(s.Damages)
	a.notices(s.Warnings)
}
