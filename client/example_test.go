package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"convoke"
	"convoke/api"
	"convoke/client"
)

// Invoke a function, and use what it returned.
func Example() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: serverURL, AccountID: "10000001", Token: convoke.NewSecret(token)})
	if err != nil {
		log.Fatal(err)
	}
	id, err := c.Lookup(ctx, "greeting") // a name; Invoke takes the uuid
	if err != nil {
		log.Fatal(err)
	}
	result, err := c.Invoke(ctx, id, api.InvokeRequest{Payload: json.RawMessage(`{"name":"Ada"}`)}, client.InvokeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var answer struct{ Text string }
	if err := json.Unmarshal(result.Body, &answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Text)
	// Output: Hello Ada
}

// Create a function, save its code, make it live and wait until it serves.
func ExampleClient_Deploy() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: serverURL, Token: convoke.NewSecret(token)})
	if err != nil {
		log.Fatal(err)
	}
	fn, err := c.CreateFunction(ctx, api.CreateFunctionRequest{Name: "prices"})
	if err != nil {
		log.Fatal(err)
	}
	code := `async function lambda(input) { return { price: 2 * input.payload.pieces } }`
	if err := c.SaveManifest(ctx, fn.UUID, api.ManifestRequest{Code: &code}); err != nil {
		log.Fatal(err)
	}
	if _, err := c.Deploy(ctx, fn.UUID, nil); err != nil { // nil: the newest version
		log.Fatal(err)
	}
	result, err := c.Invoke(ctx, fn.UUID, api.InvokeRequest{Payload: json.RawMessage(`{"pieces":21}`)}, client.InvokeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(result.Body))
	// Output: {"price":42}
}

// Every failure has a code that never changes its meaning: docs/errors.md lists
// them. A function's own failure is told from all others by it.
func ExampleClient_Invoke_errors() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: serverURL, Token: convoke.NewSecret(token)})
	if err != nil {
		log.Fatal(err)
	}
	id, err := c.Lookup(ctx, "greeting")
	if err != nil {
		log.Fatal(err)
	}
	for _, in := range []struct{ id, payload string }{{id, `{"name":"Ada"}`}, {id, `{}`}, {"0c9f4c52-2f1a-4f6e-9d6e-0a6b7f1f0001", `{}`}} {
		_, err := c.Invoke(ctx, in.id, api.InvokeRequest{Payload: json.RawMessage(in.payload)}, client.InvokeOptions{})
		switch convoke.ErrorCode(err) {
		case "":
			fmt.Println("it works")
		case convoke.CodeThrew, convoke.CodeRuntimeError, convoke.CodeTimeout:
			fmt.Println("the function failed, not the call")
		case convoke.CodeFunctionNotFound:
			fmt.Println("there is no such function")
		case convoke.CodeThrottled, convoke.CodeUnavailable:
			fmt.Println("try again later")
		default:
			fmt.Println(err)
		}
	}
	// Output:
	// it works
	// the function failed, not the call
	// there is no such function
}

// Read a list to its end, without caring for its pages.
func ExampleEach() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: serverURL, Token: convoke.NewSecret(token)})
	if err != nil {
		log.Fatal(err)
	}
	for _, domain := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		if _, _, err := c.EnsureDomain(ctx, domain); err != nil {
			log.Fatal(err)
		}
	}
	for domain, err := range client.Each(ctx, c, client.DomainList(), client.ListOptions{Sort: "-name", PageSize: 2}) {
		if err != nil {
			log.Fatal(err) // the last thing it yields
		}
		fmt.Println(domain.Domain)
	}
	// Output:
	// c.example.com
	// b.example.com
	// a.example.com
}

// A program that runs for longer than a token gets and renews its tokens by
// itself. Its id and secret come from convoke client create, or as here from an
// administrator's client.
func ExampleClientCredentials() {
	ctx := context.Background()
	admin, err := client.New(client.Config{URL: serverURL, Token: convoke.NewSecret(token)})
	if err != nil {
		log.Fatal(err)
	}
	shop, err := admin.CreateClient(ctx, api.CreateClientRequest{
		Name: "shop", GrantTypes: []string{"client_credentials"}, Scopes: []string{"faas.lambda.invoke", "faas.function.read"},
	})
	if err != nil {
		log.Fatal(err)
	}

	c, err := client.New(client.Config{
		URL: serverURL, AccountID: "10000001",
		Credentials: client.ClientCredentials{ID: shop.ID, Secret: convoke.NewSecret(shop.Secret)},
	})
	if err != nil {
		log.Fatal(err)
	}
	id, err := c.Lookup(ctx, "greeting")
	if err != nil {
		log.Fatal(err)
	}
	result, err := c.Invoke(ctx, id, api.InvokeRequest{Payload: json.RawMessage(`{"name":"shop"}`)}, client.InvokeOptions{})
	fmt.Println(string(result.Body), err)
	// Output: {"text":"Hello shop"} <nil>
}

// Change a thing only while it is what was read.
func ExampleClient_IfMatch() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: serverURL, Token: convoke.NewSecret(token)})
	if err != nil {
		log.Fatal(err)
	}
	read, err := c.Settings(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"Shop", "Store"} {
		_, err := c.IfMatch(read.ETag).UpdateSettings(ctx, api.UpdateSettingsRequest{Name: &name})
		fmt.Println(name, convoke.ErrorCode(err) == convoke.CodeConditionFailed)
	}
	// Output:
	// Shop false
	// Store true
}
