"""transformers 4.45's loop, written out by hand from its description, since that release no longer installs."""
import json, os, sys, torch
from transformers import Gemma2ForCausalLM, get_scheduler, set_seed
from peft import PeftModel
torch.set_num_threads(1)
REF=os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),'gemma2-tiny')
ROWS=[r['input_ids'] for r in json.load(open(REF+'/rows.json'))]
def batch(idx):
    n=max(len(ROWS[i]) for i in idx); n=(n+7)//8*8
    ids=torch.tensor([ROWS[i]+[0]*(n-len(ROWS[i])) for i in idx]); m=(ids!=0).long()
    return dict(input_ids=ids,attention_mask=m,labels=ids.masked_fill(ids==0,-100))
def chunks(n,b): return [list(range(i,min(n,i+b))) for i in range(0,n,b)]
set_seed(0)
model=PeftModel.from_pretrained(Gemma2ForCausalLM.from_pretrained(REF+'/tiny-gemma2',attn_implementation='eager').float(),REF+'/adapter-initial',is_trainable=True)
n_train,n_eval,A,epochs,lr=21,5,8,4,5e-3
L=len(chunks(n_train,2)); U=max(L//A,1); T=epochs*U; W=-(-T*25//100)
params=[p for p in model.parameters() if p.requires_grad]
opt=torch.optim.AdamW(params,lr=lr,weight_decay=0.06); sch=get_scheduler('cosine',opt,num_warmup_steps=W,num_training_steps=T)
log=[]; total=0; t=0; acc=0.0; sum_all=0.0
model.train()
for epoch in range(epochs):
    for i,idx in enumerate(chunks(n_train,2)):
        loss=model(**batch(idx)).loss/A; loss.backward(); acc+=loss.item(); total+=1
        if total%A==0:
            norm=torch.nn.utils.clip_grad_norm_(params,0.5).item(); opt.step(); sch.step(); opt.zero_grad(); t+=1
            e=epoch+(i+1)/L
            log.append(dict(loss=round(acc,4),grad_norm=norm,learning_rate=sch.get_last_lr()[0],epoch=e,step=t)); sum_all+=acc; acc=0.0
            if t%2==0:
                model.eval()
                with torch.no_grad(): ev=sum(len(b)*model(**batch(b)).loss.item() for b in chunks(n_eval,2))/n_eval
                model.train(); log.append(dict(eval_loss=ev,epoch=e,step=t))
            if t==T: break
    if t==T: break
flos=6*model.get_base_model().num_parameters(exclude_embeddings=True)
args=dict(compat='hf4.45',logging_steps=1,per_device_train_batch_size=2,per_device_eval_batch_size=2,learning_rate=lr,weight_decay=0.06,max_grad_norm=0.5,optim='adamw_torch',num_train_epochs=epochs,gradient_accumulation_steps=A,warmup_ratio=0.25,lr_scheduler_type='cosine',evaluation_strategy='steps',eval_steps=2,save_strategy='no')
info=dict(args=args,n_train=n_train,n_eval=n_eval,scripted_metrics=None,initial_adapter='adapter-initial',optimizer_steps=t,training_loss=sum_all/t,trace=[],log_history=log,checkpoints_left=[],checkpoint_files=[],trainer_state=None,by_hand=True)
os.makedirs(REF+'/runs/hf4.45-notebook',exist_ok=True); json.dump(info,open(sys.argv[1]+'/hf4.45-notebook/run.json','w'),indent=1)
