//go:build tools

// Package istio pins Istio, whose control plane the end-to-end tests run with a stock Envoy as its gateway.
// It is a module of its own, so that its requirements never move a version that the Kubernetes components use. The
// imported package needs no other module: testbed/istio/build builds istiod by Istio's own go.mod and go.sum.
package istio

import _ "istio.io/istio/pkg/cluster"
