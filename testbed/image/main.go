// Command image writes a container image (a tar such as `docker save` writes) around one binary: no registry, no daemon.
//
//	image [-with-libs] NAME:TAG BINARY OUT.tar
//
// The binary becomes the entrypoint. With -with-libs the shared libraries and the loader that ldd names are put beside
// it, at their own paths, so that a binary linked to the machine's glibc runs too.
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

func main() {
	withLibs := flag.Bool("with-libs", false, "add the shared libraries that ldd names")
	flag.Parse()
	if flag.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "usage: image [-with-libs] NAME:TAG BINARY OUT.tar")
		os.Exit(2)
	}
	if err := write(flag.Arg(0), flag.Arg(1), flag.Arg(2), *withLibs); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func write(tag, binary, out string, withLibs bool) error {
	entrypoint := "/" + filepath.Base(binary)
	files := map[string]string{entrypoint: binary}
	if withLibs {
		libraries, err := sharedLibraries(binary)
		if err != nil {
			return err
		}
		for _, library := range libraries {
			files[library] = library
		}
	}
	layer, err := layerOf(files)
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{entrypoint}, "Env": []string{"PATH=/"}, "WorkingDir": "/"},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	if err != nil {
		return err
	}
	configName := digest(config) + ".json"
	manifest, err := json.Marshal([]any{map[string]any{
		"Config": configName, "RepoTags": []string{tag}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	var image bytes.Buffer
	archive := tar.NewWriter(&image)
	for _, part := range []struct {
		name    string
		content []byte
	}{{configName, config}, {"layer.tar", layer}, {"manifest.json", manifest}} {
		if err := add(archive, part.name, 0o644, part.content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return os.WriteFile(out, image.Bytes(), 0o600)
}

// layerOf packs the files (path in the image -> path here), their folders, an empty /etc/passwd and a writable /tmp.
// Times and owners are left zero, so that the same input gives the same digest.
func layerOf(files map[string]string) ([]byte, error) {
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	folders := map[string]int64{"tmp": 0o1777, "etc": 0o755}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
		for folder := path.Dir(name); folder != "/" && folder != "."; folder = path.Dir(folder) {
			folders[strings.TrimPrefix(folder, "/")] = 0o755
		}
	}
	sorted := make([]string, 0, len(folders))
	for folder := range folders {
		sorted = append(sorted, folder)
	}
	sort.Strings(sorted)
	for _, folder := range sorted {
		header := &tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: folders[folder], Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	sort.Strings(names)
	for _, name := range names {
		content, err := os.ReadFile(files[name])
		if err != nil {
			return nil, err
		}
		if err := add(archive, strings.TrimPrefix(name, "/"), 0o755, content); err != nil {
			return nil, err
		}
	}
	passwd := "root:x:0:0:root:/:/\nnobody:x:65534:65534:nobody:/:/\n"
	if err := add(archive, "etc/passwd", 0o644, []byte(passwd)); err != nil {
		return nil, err
	}
	err := archive.Close()
	return layer.Bytes(), err
}

// sharedLibraries lists the absolute paths that ldd prints: the loader and each library.
func sharedLibraries(binary string) ([]string, error) {
	output, err := exec.Command("ldd", binary).CombinedOutput()
	if err != nil {
		if strings.Contains(string(output), "not a dynamic executable") {
			return nil, nil
		}
		return nil, fmt.Errorf("ldd %s: %w: %s", binary, err, output)
	}
	var libraries []string
	for _, line := range strings.Split(string(output), "\n") {
		if strings.Contains(line, "not found") {
			return nil, fmt.Errorf("%s needs a library that is not installed: %s", binary, strings.TrimSpace(line))
		}
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "/") {
				libraries = append(libraries, word)
			}
		}
	}
	return libraries, nil
}

func add(archive *tar.Writer, name string, mode int64, content []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), Format: tar.FormatPAX}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(archive, bytes.NewReader(content))
	return err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
