package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts Chromium, which is to reach for nothing.
func browser(t *testing.T) context.Context {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("GUARDRAIL_WANT_BROWSER") == "1" {
			t.Fatal("there is no chromium on PATH, and GUARDRAIL_WANT_BROWSER is 1")
		}
		t.Skip("there is no chromium on PATH to look at the page with")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir())}
	for _, flag := range []string{"headless", "hide-scrollbars", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

// looked is what a script sees of the page.
type looked struct {
	Width, Scroll   int
	Wide            []string // elements that reach beyond the window
	Small           []string // texts that nobody can read
	Ink, Paper      string
	Articles, Rects int
	Text            string
}

const look = `(() => {
	const all = [...document.querySelectorAll('body *')];
	const name = e => e.tagName + ' ' + (e.textContent || '').trim().slice(0, 40);
	const texts = all.filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && !e.closest('details:not([open]) :not(summary)'));
	const style = getComputedStyle(document.body);
	return {
		Width: innerWidth, Scroll: document.documentElement.scrollWidth,
		Wide: all.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('svg')).map(name),
		Small: texts.filter(e => { const b = e.getBoundingClientRect(); return b.width < 1 || b.height < 8 || parseFloat(getComputedStyle(e).fontSize) < 12 }).map(name),
		Ink: style.color, Paper: style.backgroundColor,
		Articles: document.querySelectorAll('article').length, Rects: document.querySelectorAll('rect').length,
		Text: document.body.innerText,
	};
})()`

func TestScanPageInABrowser(t *testing.T) {
	ctx := browser(t)
	var mu sync.Mutex
	var trouble []string
	err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			trouble = append(trouble, fmt.Sprintf("console %s: %v", e.Type, e.Args))
		case *runtime.EventExceptionThrown:
			trouble = append(trouble, "exception: "+e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			trouble = append(trouble, "log: "+e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, "file:") {
				trouble = append(trouble, "request: "+e.Request.URL)
			}
		}
	})
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, report := range map[string]scanReport{"examples": exampleReport(), "hostile": hostileReport(), "nothing": {{Region: "eu-central-1", Complete: true}}} {
		file := filepath.Join(folder, name+".html")
		if err := os.WriteFile(file, []byte(render(t, "html", report)), 0o600); err != nil {
			t.Fatal(err)
		}
		articles := len(report[0].Findings)
		for _, x := range report {
			if len(x.Unreadable) > 0 {
				articles++
			}
		}
		for _, width := range []int64{1280, 375} {
			for _, scheme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("%s at %d in %s", name, width, scheme), func(t *testing.T) {
					_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
						Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
					})
					if err != nil {
						t.Fatal(err)
					}
					err = chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate((&url.URL{Scheme: "file", Path: file}).String()))
					if err != nil {
						t.Fatal(err)
					}
					seen, err := chromedp.Run(ctx, chromedp.Evaluate[looked](look))
					if err != nil {
						t.Fatal(err)
					}
					if name == "examples" { // for people: go test -run ScanPage -artifacts -outputdir FOLDER
						picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
						if err == nil {
							err = os.WriteFile(filepath.Join(t.ArtifactDir(), fmt.Sprintf("%d-%s.png", width, scheme)), picture, 0o644)
						}
						if err != nil {
							t.Error(err)
						}
					}
					if seen.Scroll > seen.Width || len(seen.Wide) > 0 {
						t.Errorf("the page is %d wide in a window of %d: %q", seen.Scroll, seen.Width, seen.Wide)
					}
					if len(seen.Small) > 0 {
						t.Errorf("cannot be read: %q", seen.Small)
					}
					if paper := map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]; seen.Paper != paper || seen.Ink == paper {
						t.Errorf("%s on %s", seen.Ink, seen.Paper)
					}
					if seen.Articles != articles || seen.Rects != 14 {
						t.Errorf("%d articles, want %d; %d bars, want 14", seen.Articles, articles, seen.Rects)
					}
					says(t, "the page", seen.Text, "Who can call these Lambda functions", "eu-central-1")
				})
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(trouble) > 0 {
		t.Errorf("the browser complains: %q", trouble)
	}
}
