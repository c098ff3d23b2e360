package testrepo

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"sync"
)

// Keys are the two keys of a repository: the master key signs the whitelist, the
// certificate's key signs the manifest.
type Keys struct {
	Master      *rsa.PrivateKey
	Certificate *rsa.PrivateKey
}

const keyBits = 2048

// NewKeys makes fresh keys.
func NewKeys() (*Keys, error) {
	master, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	cert, err := rsa.GenerateKey(rand.Reader, keyBits)
	return &Keys{master, cert}, err
}

// keysBySeed remembers the keys of this process: finding primes takes a while.
var keysBySeed sync.Map // uint64 -> func() *Keys

// SeededKeys returns keys that depend on seed alone. Everybody can compute them:
// they are for tests.
func SeededKeys(seed uint64) *Keys {
	f, _ := keysBySeed.LoadOrStore(seed, sync.OnceValue(func() *Keys {
		var primes [4]*big.Int
		var wg sync.WaitGroup
		for i := range primes {
			wg.Go(func() { primes[i] = seededPrime(seed<<2 | uint64(i)) })
		}
		wg.Wait()
		return &Keys{keyOf(primes[0], primes[1]), keyOf(primes[2], primes[3])}
	}))
	return f.(func() *Keys)()
}

// PublicPEM returns the public master key as a key file holds it.
func (k *Keys) PublicPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.Master.PublicKey)
	if err != nil {
		panic(err) // an RSA key can always be marshalled
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

const exponent = 65537

// seededPrime returns the first suitable prime at or above a number that seed
// determines. (crypto/rsa takes no random source of the caller's any more.)
func seededPrime(seed uint64) *big.Int {
	buf := make([]byte, keyBits/16)
	chacha(seed).Read(buf)
	buf[0] |= 0xc0 // the product of two such numbers has all its bits
	buf[len(buf)-1] |= 1
	p, two, rem, e := new(big.Int).SetBytes(buf), big.NewInt(2), new(big.Int), big.NewInt(exponent)
	for ; ; p.Add(p, two) {
		if !hasSmallFactor(p, rem) && rem.Mod(p, e).Cmp(big.NewInt(1)) != 0 && p.ProbablyPrime(1) {
			return p
		}
	}
}

// hasSmallFactor rules most numbers out before the costly test.
func hasSmallFactor(p, rem *big.Int) bool {
	var d big.Int
	for i := int64(3); i < 2000; i += 2 {
		if rem.Mod(p, d.SetInt64(i)).Sign() == 0 {
			return true
		}
	}
	return false
}

func keyOf(p, q *big.Int) *rsa.PrivateKey {
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent},
		D:         new(big.Int).ModInverse(big.NewInt(exponent), phi),
		Primes:    []*big.Int{p, q},
	}
	k.Precompute()
	if err := k.Validate(); err != nil {
		panic(err) // two primes always make a key
	}
	return k
}
