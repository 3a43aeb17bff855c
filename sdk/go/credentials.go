// Package ingate identifies callers of the Ingate LLM gateway's gRPC API, whose services are in the packages below it.
package ingate

import "context"

// Credential is metadata that goes with every call: google.golang.org/grpc/credentials.PerRPCCredentials.
type Credential struct{ name, value string }

// Key is the credential of a key of an organisation.
func Key(key string) Credential { return Credential{"x-ingate-key", key} }

// Session is the credential of a person's session, by its token.
func Session(token string) Credential { return Credential{"authorization", "Bearer " + token} }

// GetRequestMetadata implements PerRPCCredentials.
func (c Credential) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{c.name: c.value}, nil
}

// RequireTransportSecurity implements PerRPCCredentials: a port without TLS is for the caller to judge.
func (Credential) RequireTransportSecurity() bool { return false }
