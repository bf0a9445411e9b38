// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the release build (-ldflags "-X main.version=1.2.3").
var version = ""

func (a *app) versionCommand() *cobra.Command {
	type result struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}
	return a.command("version", "version", nil, func(*cobra.Command, []string) error {
		r := result{versionName(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
		return a.show(r, func() {
			a.say("version.line", "version", r.Version, "go", r.Go, "platform", r.Platform)
		})
	})
}

// versionName is the release's, else what the build recorded of the source.
func versionName() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
