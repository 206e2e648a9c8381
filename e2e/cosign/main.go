// cosign-verify checks signatures and attestations of an image with cosign's own verification, and prints what they say, a line each.
// The command itself needs three times as long to compile, for key stores and clusters that no test has.
package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/cosign/v3/pkg/cosign"
	"github.com/sigstore/cosign/v3/pkg/oci"
	"github.com/sigstore/cosign/v3/pkg/signature"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/tuf"
)

func main() {
	if err := verify(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func verify(ctx context.Context) error {
	key := flag.String("key", "", "file of the public key")
	roots := flag.String("roots", "", "file of the certificates that identities are issued from")
	identity := flag.String("identity", "", "who must have signed")
	issuer := flag.String("issuer", "", "who must know that")
	rekor := flag.String("rekor", "", "file of the log's public key; without it no log is asked for")
	attestations := flag.Bool("attestations", false, "of attestations, not the image")
	bundles := flag.Bool("bundles", false, "of bundles that refer to it, which newer verifiers look for first, not under its tags")
	flag.Parse()
	ref, err := name.ParseReference(flag.Arg(0))
	if err != nil {
		return err
	}
	options := &cosign.CheckOpts{ClaimVerifier: cosign.SimpleClaimVerifier, IgnoreSCT: true, Offline: true, IgnoreTlog: *rekor == ""}
	if *key != "" {
		if options.SigVerifier, err = signature.LoadPublicKey(ctx, *key); err != nil {
			return err
		}
	}
	trust := trustedRoot{logs: map[string]*root.TransparencyLog{}}
	if *roots != "" {
		pem, err := os.ReadFile(*roots)
		if err != nil {
			return err
		}
		certificates, err := cryptoutils.UnmarshalCertificatesFromPEM(pem)
		if err != nil {
			return err
		}
		for _, one := range certificates {
			trust.authorities = append(trust.authorities, &root.FulcioCertificateAuthority{Root: one})
		}
		options.RootCerts = x509.NewCertPool()
		if !options.RootCerts.AppendCertsFromPEM(pem) {
			return errors.New("no certificates")
		}
		options.Identities = []cosign.Identity{{Issuer: *issuer, Subject: *identity}}
	}
	if *rekor != "" {
		pem, err := os.ReadFile(*rekor)
		if err != nil {
			return err
		}
		keys := cosign.NewTrustedTransparencyLogPubKeys()
		if err := keys.AddTransparencyLogPubKey(pem, tuf.Active); err != nil {
			return err
		}
		options.RekorPubKeys = &keys
		public, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return err
		}
		id := sha256.Sum256(der)
		trust.logs[hex.EncodeToString(id[:])] = &root.TransparencyLog{
			ValidityPeriodStart: time.Unix(0, 0), ID: id[:], HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256, PublicKey: public,
		}
	}
	var found []oci.Signature
	var logged bool
	if *bundles {
		options.NewBundleFormat = true
		options.ClaimVerifier = cosign.IntotoSubjectClaimVerifier
		if options.TrustedMaterial, err = trust.material(); err != nil {
			return err
		}
		found, logged, err = cosign.VerifyImageAttestations(ctx, ref, options)
	} else if *attestations {
		options.ClaimVerifier = cosign.IntotoSubjectClaimVerifier
		found, logged, err = cosign.VerifyImageAttestations(ctx, ref, options)
	} else {
		found, logged, err = cosign.VerifyImageSignatures(ctx, ref, options)
	}
	if err != nil {
		return err
	}
	if *rekor != "" && !logged {
		return errors.New("none was logged")
	}
	for _, one := range found {
		payload, err := one.Payload()
		if err != nil {
			return err
		}
		var compact json.RawMessage = payload
		line, err := json.Marshal(compact)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return nil
}

// trustedRoot is who is believed, as the newer verifier takes it.
type trustedRoot struct {
	authorities []root.CertificateAuthority
	logs        map[string]*root.TransparencyLog
}

func (t trustedRoot) material() (root.TrustedMaterial, error) {
	return root.NewTrustedRoot(root.TrustedRootMediaType01, t.authorities, nil, nil, t.logs)
}
