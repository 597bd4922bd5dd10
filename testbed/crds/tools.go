//go:build tools

// Package crds pins the modules whose custom resource definitions the test cluster installs.
// It is a module of its own, so that these requirements never move a version that the Kubernetes components use.
package crds

import (
	_ "github.com/traefik/traefik/v3/pkg/ping"
	_ "istio.io/api/label"
	_ "sigs.k8s.io/gateway-api/pkg/consts"
)
