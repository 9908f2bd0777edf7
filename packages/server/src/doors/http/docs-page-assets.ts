/** The style and the script of /docs. They stand in the page itself; their hashes are in its content security policy. */

export const style = `
:root{--text:#1c2330;--soft:#5a6577;--line:#dde2ea;--ground:#fff;--panel:#f5f7fa;--link:#0b5cad;--get:#17663a;--post:#8a4b00}
@media(prefers-color-scheme:dark){:root{--text:#e3e8f0;--soft:#9aa7ba;--line:#303947;--ground:#12161c;--panel:#1a2029;--link:#7cb8ff;--get:#6fd19a;--post:#f0b060}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 4rem;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif}
h1{margin:0;font-size:1.7rem}h1 small{color:var(--soft);font-size:1rem;font-weight:400}
h2{margin:2.2rem 0 .6rem;font-size:1.2rem}h4{margin:1.1rem 0 .3rem;font-size:.9rem;color:var(--soft)}
a{color:var(--link)}nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem;margin:.8rem 0}
input{width:100%;margin-top:.5rem;padding:.6rem .8rem;border:1px solid var(--line);border-radius:.5rem;background:var(--panel);color:inherit;font:inherit}
code,pre{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.86em}code{overflow-wrap:anywhere}
pre{margin:.4rem 0;padding:.8rem;overflow:auto;max-height:28rem;border-radius:.5rem;background:var(--panel)}
details{border:1px solid var(--line);border-radius:.5rem;margin:.4rem 0;padding:0 .8rem}details[open]{padding-bottom:.8rem}
summary{margin:0 -.8rem;padding:.5rem .8rem;cursor:pointer;border-radius:.5rem}summary:hover{background:var(--panel)}
summary b{display:inline-block;min-width:3.1rem;font-size:.8rem}summary span{display:block;padding-left:3.4rem;color:var(--soft);font-size:.92rem}
summary{list-style:none}summary::-webkit-details-marker{display:none}
b.get{color:var(--get)}b.post{color:var(--post)}
table{width:100%;table-layout:fixed;border-collapse:collapse;font-size:.9rem}
td{padding:.35rem .8rem .35rem 0;border-top:1px solid var(--line);vertical-align:top}td:first-child{width:26%}td:nth-child(2){width:30%}td{overflow-wrap:anywhere}td small{color:var(--soft)}
@media(max-width:34rem){body{padding-top:1rem}table,tbody,tr,td{display:block}td,td:first-child,td:nth-child(2){width:auto;padding:0;border:0}tr{border-top:1px solid var(--line);padding:.4rem 0}td:nth-child(2){color:var(--soft)}summary span{padding-left:0}}
`

export const script = `
const box=document.getElementById('search');
const open=()=>{const one=document.getElementById(decodeURIComponent(location.hash.slice(1)));if(one&&one.tagName==='DETAILS'){one.open=true;one.scrollIntoView()}};
box.hidden=false;
box.addEventListener('input',()=>{const words=box.value.toLowerCase().split(/\\s+/);
for(const section of document.querySelectorAll('section')){let shown=0;
for(const one of section.querySelectorAll('details')){const text=(one.id+' '+one.querySelector('summary').textContent).toLowerCase();one.hidden=!words.every((word)=>text.includes(word));if(!one.hidden)shown++}
section.hidden=shown===0}});
document.addEventListener('toggle',(event)=>{if(event.target.open&&event.target.id)history.replaceState(null,'','#'+event.target.id)},true);
addEventListener('hashchange',open);open();
`
