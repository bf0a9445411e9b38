// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkRestic backs D1 and D2 up and restores them with restic, the
// encrypting program that people use for it, as it comes: one that is on the
// PATH. It does not fsync what it restores.
func BenchmarkRestic(b *testing.B) {
	bin, err := exec.LookPath("restic")
	if err != nil {
		b.Skip("restic is not installed: nothing to compare with (a system's package will do)")
	}
	version, err := exec.Command(bin, "version").Output()
	must(b, err)
	for _, name := range []string{"D1", "D2"} {
		b.Run(name, func(b *testing.B) {
			src, _ := work(b, name)
			var backup, restore time.Duration
			for b.Loop() {
				dir := b.TempDir()
				restic := func(args ...string) {
					cmd := exec.Command(bin, append([]string{"--quiet", "--repo", filepath.Join(dir, "repo"), "--cache-dir", filepath.Join(dir, "cache")}, args...)...)
					cmd.Env = append(os.Environ(), "RESTIC_PASSWORD=for a benchmark")
					cmd.Dir = src
					if out, err := cmd.CombinedOutput(); err != nil {
						b.Fatalf("restic %q: %v\n%s", args, err, out)
					}
				}
				restic("init")
				backup += timed(b, func() { restic("backup", ".") })
				restore += timed(b, func() { restic("restore", "latest", "--target", filepath.Join(dir, "back")) })
				os.RemoveAll(dir)
			}
			b.ReportMetric(backup.Seconds()/float64(b.N), "backup-s")
			b.ReportMetric(restore.Seconds()/float64(b.N), "restore-s")
			b.Logf("beside: %s", bytes.TrimSpace(version))
		})
	}
}
