// Writes src/llb/testdata/go-client.json: definitions made by BuildKit's Go client library, which Slipway's graph-building API must equal byte for byte.
// Run in e2e/tools: go run ./llbvectors > ../../src/llb/testdata/go-client.json
package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

type vector struct {
	Def  [][]byte        `json:"def"`
	Caps map[string]bool `json:"caps"`
	Wire []byte          `json:"wire"`
}

func main() {
	amd64 := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	arm := ocispecs.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	when := time.Unix(1700000000, 123456789)
	target := "/run/secrets/two"
	base := llb.Image("busybox", llb.Platform(amd64))
	ctxt := llb.Local("context", llb.SessionID("s1"), llb.ExcludePatterns([]string{"a<b", "*.md"}), llb.IncludePatterns([]string{"src"}),
		llb.FollowPaths([]string{"x"}), llb.SharedKeyHint("hint"), llb.Differ(llb.DiffNone, false))
	states := map[string]llb.State{
		"image":          llb.Image("docker.io/library/alpine:3.20"),
		"image-options":  llb.Image("alpine", llb.ResolveModeForcePull, llb.Platform(arm)),
		"local":          ctxt,
		"git":            llb.Git("https://example.com/team/repo.git", "main:sub", llb.KeepGitDir(), llb.GitSkipSubmodules()),
		"git-ssh":        llb.Git("git@example.com:team/repo.git", "v1", llb.KnownSSHHosts("example.com ssh-ed25519 AAAA")),
		"http":           llb.HTTP("https://example.com/a.tar", llb.Filename("b.tar"), llb.Chmod(0640), llb.Chown(1, 2)),
		"run":            base.AddEnv("A", "1").AddEnv("B", "2").AddEnv("A", "3").Dir("work").User("nobody").Run(llb.Args([]string{"sh", "-c", "echo <hi>"})).Root(),
		"run-platform":   llb.Image("busybox").Platform(arm).Run(llb.Args([]string{"true"})).Root(),
		"run-meta": base.Hostname("h").Network(pb.NetMode_HOST).Security(pb.SecurityMode_INSECURE).AddExtraHost("db", net.ParseIP("10.0.0.1")).
			AddUlimit("nofile", 10, -1).WithCgroupParent("cg").Run(llb.Args([]string{"true"}), llb.WithProxy(llb.ProxyEnv{HTTPProxy: "p"}), llb.ValidExitCodes(0, 3, 300)).Root(),
		"run-mounts": base.Run(llb.Args([]string{"make"}),
			llb.AddMount("/src", ctxt, llb.SourcePath("sub"), llb.Readonly),
			llb.AddMount("/cache", llb.Scratch(), llb.AsPersistentCacheDir("id", llb.CacheMountLocked)),
			llb.AddMount("/tmp", llb.Scratch(), llb.Tmpfs(llb.TmpfsSize(1<<20))),
			llb.AddMount("/drop", base, llb.ForceNoOutput),
			llb.AddMount("/a", llb.Scratch()),
			llb.AddSecret("/run/secrets/one", llb.SecretID("one"), llb.SecretFileOpt(1, 2, 0440)),
			llb.AddSecretWithDest("two", &target, llb.SecretOptional, llb.SecretAsEnvName("TWO")),
			llb.AddSSHSocket(llb.SSHID("default"))).Root(),
		"run-mount-output": base.Run(llb.Args([]string{"make"}), llb.AddMount("/out", llb.Scratch())).GetMount("/out"),
		"readonly-root":    base.Run(llb.Args([]string{"make"}), llb.ReadonlyRootFS(), llb.AddMount("/out", llb.Scratch())).GetMount("/out"),
		"file": llb.Scratch().File(llb.Mkdir("/a", 0755, llb.WithParents(true), llb.WithUIDGID(3, 4)).
			Mkfile("a/f", 0600, []byte("data"), llb.WithCreatedTime(when)).Rm("/x*", llb.WithAllowWildcard(true), llb.WithAllowNotFound(true)).
			Symlink("../t", "/l")),
		"copy": base.Dir("/w").File(llb.Copy(ctxt, "src/", "dst/", &llb.CopyInfo{
			Mode: &llb.ChmodOpt{Mode: 0755}, FollowSymlinks: true, CopyDirContentsOnly: true, CreateDestPath: true, AllowWildcard: true, AllowEmptyWildcard: true,
			AttemptUnpack: true, IncludePatterns: []string{"a"}, ExcludePatterns: []string{"b"}, AlwaysReplaceExistingDestPaths: true, CreatedTime: &when},
			llb.WithUser("app:0")).Copy(base, "/etc", "/.", llb.ChmodOpt{ModeStr: "u+x"})),
		"copy-self": base.File(llb.Copy(base, "/a", "/b")),
		"merge":     llb.Merge([]llb.State{base, llb.Scratch(), ctxt}),
		"diff":      llb.Diff(base, base.Run(llb.Args([]string{"true"})).Root()),
		"diff-none": llb.Diff(base, llb.Scratch()),
		"requires":  base.Requires("order", ctxt, base),
		"metadata": base.Run(llb.Args([]string{"true"}), llb.IgnoreCache, llb.WithCustomName("name"), llb.WithExportCache(),
			llb.ProgressGroup("id", "group", true)).Root(),
	}
	out := map[string]vector{}
	for name, state := range states {
		def, err := state.Marshal(context.Background(), llb.Platform(amd64), llb.LocalUniqueID("unique"))
		if err != nil {
			panic(name + ": " + err.Error())
		}
		caps := map[string]bool{}
		for _, md := range def.Metadata {
			for c := range md.Caps {
				caps[string(c)] = true
			}
		}
		wire, err := def.ToPB().Marshal()
		if err != nil {
			panic(err)
		}
		out[name] = vector{def.Def, caps, wire}
	}
	var registered []string
	for _, c := range pb.Caps.All() {
		registered = append(registered, string(apicaps.CapID(c.ID)))
	}
	version := ""
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/moby/buildkit" {
			version = dep.Version
		}
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	if err := enc.Encode(map[string]any{"origin": "github.com/moby/buildkit/client/llb " + version, "definitions": out, "caps": registered}); err != nil {
		panic(err)
	}
}
