// Command image builds the container images of Graphveil without a container
// engine: "graphveil", the processor alone, and "graphveil-envoy", the processor
// with Envoy. Start with build; deploy/image/README.md says what is in them and how
// to use what it writes. It pushes nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", "../..", "`folder` of the sources")
	out := flag.String("out", "../image/out", "`folder` to write the images to; what it has of them is replaced")
	platforms := flag.String("platforms", "amd64,arm64", "`architectures` of Linux to build for")
	files := flag.Bool("files", false, "write the files of the images, for a Dockerfile to copy, instead of images")
	flag.Parse()
	if err := run(context.Background(), *root, *out, *files, strings.Split(*platforms, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, out string, files bool, platforms []string) error {
	src, err := findSource(ctx, root)
	if err != nil {
		return err
	}
	fmt.Println("building", src.version)
	images, err := build(ctx, src, store(filepath.Join(src.root, ".tools", "image")), platforms)
	if err != nil {
		return err
	}
	if err := src.unchanged(ctx); err != nil {
		return err
	}
	for _, i := range images {
		if files {
			for _, p := range i.platforms {
				if err := unpackForCopy(p.image, filepath.Join(out, i.name, p.arch)); err != nil {
					return fmt.Errorf("unpacking %s: %w", i.name, err)
				}
			}
			continue
		}
		digest, err := i.write(out)
		if err != nil {
			return fmt.Errorf("writing %s: %w", i.name, err)
		}
		fmt.Println(filepath.Join(out, i.name), digest)
	}
	return nil
}
